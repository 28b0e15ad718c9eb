//! Preview 0, `wasi_unstable`, where its numbers and structures differ from preview 1's.
//!
//! Source: `typenames.witx` of the snapshot that programs built before 2020 import.

use super::enums::enumeration;
use super::structures::layout;
use super::{Eventtype, Filetype};
use crate::UnknownNumber;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

enumeration! {
    /// Where a seek begins.
    Whence: u8 { Cur, End, Set, }
}

impl From<Whence> for super::Whence {
    fn from(whence: Whence) -> Self {
        match whence {
            Whence::Cur => Self::Cur,
            Whence::End => Self::End,
            Whence::Set => Self::Set,
        }
    }
}

/// A file's attributes, whose number of links has 32 bits.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "each as in preview 1")]
pub struct Filestat {
    pub dev: u64,
    pub ino: u64,
    pub filetype: Filetype,
    pub padding: [u8; 3],
    pub nlink: u32,
    pub size: u64,
    pub atim: u64,
    pub mtim: u64,
    pub ctim: u64,
}

impl From<super::Filestat> for Filestat {
    fn from(stat: super::Filestat) -> Self {
        let super::Filestat { dev, ino, filetype, nlink, size, atim, mtim, ctim, .. } = stat;
        let (padding, nlink) = ([0; 3], u32::try_from(nlink).unwrap_or(u32::MAX));
        Self { dev, ino, filetype, padding, nlink, size, atim, mtim, ctim }
    }
}

/// What a program waits for: a clock has an identifier before its number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[expect(missing_docs, reason = "each as in preview 1")]
pub struct Subscription {
    pub userdata: u64,
    pub kind: u8,
    pub padding: [u8; 7],
    /// Of a clock: any number. Otherwise its lower half is a descriptor.
    pub identifier: u64,
    pub clock: u32,
    pub padding_of_clock: [u8; 4],
    pub timeout: u64,
    pub precision: u64,
    pub flags: u16,
    pub padding_of_flags: [u8; 6],
}

impl From<Subscription> for super::Subscription {
    fn from(subscription: Subscription) -> Self {
        let Subscription { userdata, kind, identifier, clock, timeout, precision, flags, .. } =
            subscription;
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let id = if kind == Eventtype::Clock as u8 { clock } else { identifier as u32 };
        Self { userdata, kind, id, timeout, precision, flags, ..Self::default() }
    }
}

layout! {
    Filestat: 56, 8 {
        dev = 0, ino = 8, filetype = 16, nlink = 20, size = 24, atim = 32, mtim = 40, ctim = 48,
    }
    Subscription: 56, 8 {
        userdata = 0, kind = 8, identifier = 16, clock = 24, timeout = 32, precision = 40,
        flags = 48,
    }
}

//! Structures of preview 1 in linear memory. Fields that a program writes are raw numbers, which
//! are checked on use.

use super::{Errno, Eventrwflags, Eventtype, Fdflags, Filetype, Rights};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// A part of memory that is read into or written from: `iovec` and `ciovec`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Iovec {
    /// Address of its first byte.
    pub buf: u32,
    /// Number of its bytes.
    pub len: u32,
}

/// What there is to know of a descriptor.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Fdstat {
    /// What it stands for.
    pub filetype: Filetype,
    /// Zero.
    pub padding: [u8; 1],
    /// Its flags.
    pub flags: Fdflags,
    /// Zero.
    pub padding_of_rights: [u8; 4],
    /// What it may be used for.
    pub rights_base: Rights,
    /// What the descriptors may be used for that are opened by it.
    pub rights_inheriting: Rights,
}

/// A file's attributes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Filestat {
    /// Number of the device that has the file.
    pub dev: u64,
    /// Number of the file on its device.
    pub ino: u64,
    /// Kind of the file.
    pub filetype: Filetype,
    /// Zero.
    pub padding: [u8; 7],
    /// Number of hard links.
    pub nlink: u64,
    /// Number of bytes.
    pub size: u64,
    /// Time of the last access in nanoseconds since 1970.
    pub atim: u64,
    /// Time of the last change of data.
    pub mtim: u64,
    /// Time of the last change of attributes.
    pub ctim: u64,
}

/// What there is to know of a preopened directory: of `prestat` the one variant that there is.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Prestat {
    /// Zero, for a directory.
    pub tag: u8,
    /// Zero.
    pub padding: [u8; 3],
    /// Bytes of its name.
    pub name_len: u32,
}

/// The head of a directory's entry, which its name follows.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Dirent {
    /// The cookie of the next entry.
    pub next: u64,
    /// Number of the file.
    pub ino: u64,
    /// Bytes of the name.
    pub name_len: u32,
    /// Kind of the file.
    pub filetype: Filetype,
    /// Zero.
    pub padding: [u8; 3],
}

/// What a program waits for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Subscription {
    /// The program's own number, which the event has.
    pub userdata: u64,
    /// An [`Eventtype`].
    pub kind: u8,
    /// Anything.
    pub padding: [u8; 7],
    /// A [`Clockid`](super::Clockid), or a descriptor.
    pub id: u32,
    /// Anything.
    pub padding_of_clock: [u8; 4],
    /// Of a clock: the time to wait for, in nanoseconds.
    pub timeout: u64,
    /// Of a clock: how much later will do.
    pub precision: u64,
    /// Of a clock: [`Subclockflags`](super::Subclockflags).
    pub flags: u16,
    /// Anything.
    pub padding_of_flags: [u8; 6],
}

/// What has happened.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, TryFromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Event {
    /// That of the subscription.
    pub userdata: u64,
    /// What went wrong.
    pub error: Errno,
    /// What has happened.
    pub kind: Eventtype,
    /// Zero.
    pub padding: [u8; 5],
    /// Bytes that can be read or written.
    pub nbytes: u64,
    /// More about the descriptor.
    pub flags: Eventrwflags,
    /// Zero.
    pub padding_of_flags: [u8; 6],
}

/// Sizes, alignments and offsets as `typenames.witx` has them.
macro_rules! layout {
    ($( $name:ident: $size:literal, $align:literal { $( $field:ident = $at:literal, )* } )*) => {
        const _: () = {$(
            assert!(size_of::<$name>() == $size && align_of::<$name>() == $align);
            $( assert!(core::mem::offset_of!($name, $field) == $at); )*
        )*};
    };
}
pub(super) use layout;

layout! {
    Iovec: 8, 4 { buf = 0, len = 4, }
    Fdstat: 24, 8 { filetype = 0, flags = 2, rights_base = 8, rights_inheriting = 16, }
    Filestat: 64, 8 {
        dev = 0, ino = 8, filetype = 16, nlink = 24, size = 32, atim = 40, mtim = 48, ctim = 56,
    }
    Prestat: 8, 4 { tag = 0, name_len = 4, }
    Dirent: 24, 8 { next = 0, ino = 8, name_len = 16, filetype = 20, }
    Subscription: 48, 8 {
        userdata = 0, kind = 8, id = 16, timeout = 24, precision = 32, flags = 40,
    }
    Event: 32, 8 { userdata = 0, error = 8, kind = 10, nbytes = 16, flags = 24, }
}

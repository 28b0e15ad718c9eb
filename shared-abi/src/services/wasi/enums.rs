//! Enumerations of preview 1. A number counts from 0, in the order of `typenames.witx`.

use crate::UnknownNumber;
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

macro_rules! enumeration {
    (
        $(#[$meta:meta])*
        $name:ident: $repr:ident { $first:ident, $( $variant:ident, )* }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash,
            TryFromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr($repr)]
        #[expect(missing_docs, reason = "each is documented by its witx entry")]
        pub enum $name { #[default] $first, $( $variant, )* }

        impl $name {
            /// Every member, in the order of its number.
            pub const ALL: &'static [Self] = &[Self::$first, $( Self::$variant, )*];
        }

        impl TryFrom<u32> for $name {
            type Error = UnknownNumber;
            fn try_from(number: u32) -> Result<Self, UnknownNumber> {
                let found = usize::try_from(number).ok().and_then(|number| Self::ALL.get(number));
                let number = number.into();
                found.copied().ok_or(UnknownNumber { set: stringify!($name), number })
            }
        }
    };
}
pub(super) use enumeration;

enumeration! {
    /// What a function returns: success, or what went wrong.
    Errno: u16 {
        Success, TooBig, Acces, Addrinuse, Addrnotavail, Afnosupport, Again, Already, Badf, Badmsg,
        Busy, Canceled, Child, Connaborted, Connrefused, Connreset, Deadlk, Destaddrreq, Dom, Dquot,
        Exist, Fault, Fbig, Hostunreach, Idrm, Ilseq, Inprogress, Intr, Inval, Io,
        Isconn, Isdir, Loop, Mfile, Mlink, Msgsize, Multihop, Nametoolong, Netdown, Netreset,
        Netunreach, Nfile, Nobufs, Nodev, Noent, Noexec, Nolck, Nolink, Nomem, Nomsg,
        Noprotoopt, Nospc, Nosys, Notconn, Notdir, Notempty, Notrecoverable, Notsock, Notsup, Notty,
        Nxio, Overflow, Ownerdead, Perm, Pipe, Proto, Protonosupport, Prototype, Range, Rofs,
        Spipe, Srch, Stale, Timedout, Txtbsy, Xdev, Notcapable,
    }
}

enumeration! {
    /// A clock.
    Clockid: u32 { Realtime, Monotonic, ProcessCputimeId, ThreadCputimeId, }
}

enumeration! {
    /// Where a seek begins.
    Whence: u8 { Set, Cur, End, }
}

enumeration! {
    /// The kind of a file. Preview 1 has no name for pipes.
    Filetype: u8 {
        Unknown, BlockDevice, CharacterDevice, Directory, RegularFile, SocketDgram, SocketStream,
        SymbolicLink,
    }
}

enumeration! {
    /// How a program is going to use a part of a file.
    Advice: u8 { Normal, Sequential, Random, Willneed, Dontneed, Noreuse, }
}

enumeration! {
    /// What `poll_oneoff` waits for.
    Eventtype: u8 { Clock, FdRead, FdWrite, }
}

enumeration! {
    /// A signal of `proc_raise`.
    Signal: u8 {
        None, Hup, Int, Quit, Ill, Trap, Abrt, Bus, Fpe, Kill, Usr1, Segv, Usr2, Pipe, Alrm, Term,
        Chld, Cont, Stop, Tstp, Ttin, Ttou, Urg, Xcpu, Xfsz, Vtalrm, Prof, Winch, Poll, Pwr, Sys,
    }
}

/// The last number of each enumeration, as `typenames.witx` counts.
const _: () = {
    assert!(Errno::Notcapable as u16 == 76 && Errno::ALL.len() == 77);
    assert!(Errno::Inval as u16 == 28 && Errno::Nomem as u16 == 48 && Errno::Perm as u16 == 63);
    assert!(Clockid::ThreadCputimeId as u32 == 3);
    assert!(Whence::End as u8 == 2);
    assert!(Filetype::SymbolicLink as u8 == 7);
    assert!(Advice::Noreuse as u8 == 5);
    assert!(Eventtype::FdWrite as u8 == 2);
    assert!(Signal::Sys as u8 == 30);
};

//! Sets of flags of preview 1. A flag's bit counts from 0, in the order of `typenames.witx`.
#![expect(missing_docs, reason = "each flag is documented by its witx entry")]

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! flags {
    (
        $(#[$meta:meta])*
        $name:ident: $repr:ident { $( $flag:ident = $bit:literal, )* }
    ) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
        )]
        #[repr(transparent)]
        pub struct $name($repr);

        bitflags! {
            impl $name: $repr { $( const $flag = 1 << $bit; )* }
        }
    };
}

flags! {
    /// What a descriptor may be used for.
    Rights: u64 {
        FD_DATASYNC = 0,
        FD_READ = 1,
        FD_SEEK = 2,
        FD_FDSTAT_SET_FLAGS = 3,
        FD_SYNC = 4,
        FD_TELL = 5,
        FD_WRITE = 6,
        FD_ADVISE = 7,
        FD_ALLOCATE = 8,
        PATH_CREATE_DIRECTORY = 9,
        PATH_CREATE_FILE = 10,
        PATH_LINK_SOURCE = 11,
        PATH_LINK_TARGET = 12,
        PATH_OPEN = 13,
        FD_READDIR = 14,
        PATH_READLINK = 15,
        PATH_RENAME_SOURCE = 16,
        PATH_RENAME_TARGET = 17,
        PATH_FILESTAT_GET = 18,
        PATH_FILESTAT_SET_SIZE = 19,
        PATH_FILESTAT_SET_TIMES = 20,
        FD_FILESTAT_GET = 21,
        FD_FILESTAT_SET_SIZE = 22,
        FD_FILESTAT_SET_TIMES = 23,
        PATH_SYMLINK = 24,
        PATH_REMOVE_DIRECTORY = 25,
        PATH_UNLINK_FILE = 26,
        POLL_FD_READWRITE = 27,
        SOCK_SHUTDOWN = 28,
        SOCK_ACCEPT = 29,
    }
}

flags! {
    /// Flags of a descriptor.
    Fdflags: u16 { APPEND = 0, DSYNC = 1, NONBLOCK = 2, RSYNC = 3, SYNC = 4, }
}

flags! {
    /// Which times of a file change, and whether to the current time.
    Fstflags: u16 { ATIM = 0, ATIM_NOW = 1, MTIM = 2, MTIM_NOW = 3, }
}

flags! {
    /// How a path is looked up.
    Lookupflags: u32 { SYMLINK_FOLLOW = 0, }
}

flags! {
    /// How a file is opened.
    Oflags: u16 { CREAT = 0, DIRECTORY = 1, EXCL = 2, TRUNC = 3, }
}

flags! {
    /// What there is to know of a descriptor that is ready.
    Eventrwflags: u16 { FD_READWRITE_HANGUP = 0, }
}

flags! {
    /// Whether the time of a subscription is absolute.
    Subclockflags: u16 { SUBSCRIPTION_CLOCK_ABSTIME = 0, }
}

flags! {
    /// Flags of `sock_recv`.
    Riflags: u16 { RECV_PEEK = 0, RECV_WAITALL = 1, }
}

flags! {
    /// Which directions of a socket `sock_shutdown` ends.
    Sdflags: u8 { RD = 0, WR = 1, }
}

//! The functions of `wasi_snapshot_preview1`, with their core Wasm types, and the numbers, flags
//! and structures that they take and write.
//!
//! Sources: `wasi_snapshot_preview1.witx` and `typenames.witx` of the WASI repository, lowered to
//! core types. `wasi_unstable` has the same functions of the same types, apart from `sock_accept`;
//! [`unstable`] has what differs.

mod enums;
mod flags;
mod structures;
pub mod unstable;

pub use enums::{Advice, Clockid, Errno, Eventtype, Filetype, Signal, Whence};
pub use flags::{
    Eventrwflags, Fdflags, Fstflags, Lookupflags, Oflags, Riflags, Rights, Sdflags, Subclockflags,
};
pub use structures::{Dirent, Event, Fdstat, Filestat, Iovec, Prestat, Subscription};

use super::{Import, Module, Table};

/// What the service offers.
pub const TABLE: Table = Table {
    name: "wasi",
    modules: &[
        Module { name: "wasi_snapshot_preview1", functions: FUNCTIONS },
        Module { name: "wasi_unstable", functions: FUNCTIONS.split_at(FUNCTIONS.len() - 1).0 },
    ],
};

/// A version of WASI, by which import module a program asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `wasi_snapshot_preview1`.
    Preview1,
    /// `wasi_unstable`, also called preview 0.
    Unstable,
}

impl Version {
    /// The version that a function is imported from.
    pub fn of(import: Import) -> Self {
        match import.version() {
            0 => Self::Preview1,
            _ => Self::Unstable,
        }
    }
}

super::functions! { Wasi:
    ArgsGet = "args_get"(I32, I32) -> I32;
    ArgsSizesGet = "args_sizes_get"(I32, I32) -> I32;
    EnvironGet = "environ_get"(I32, I32) -> I32;
    EnvironSizesGet = "environ_sizes_get"(I32, I32) -> I32;
    ClockResGet = "clock_res_get"(I32, I32) -> I32;
    ClockTimeGet = "clock_time_get"(I32, I64, I32) -> I32;
    FdAdvise = "fd_advise"(I32, I64, I64, I32) -> I32;
    FdAllocate = "fd_allocate"(I32, I64, I64) -> I32;
    FdClose = "fd_close"(I32) -> I32;
    FdDatasync = "fd_datasync"(I32) -> I32;
    FdFdstatGet = "fd_fdstat_get"(I32, I32) -> I32;
    FdFdstatSetFlags = "fd_fdstat_set_flags"(I32, I32) -> I32;
    FdFdstatSetRights = "fd_fdstat_set_rights"(I32, I64, I64) -> I32;
    FdFilestatGet = "fd_filestat_get"(I32, I32) -> I32;
    FdFilestatSetSize = "fd_filestat_set_size"(I32, I64) -> I32;
    FdFilestatSetTimes = "fd_filestat_set_times"(I32, I64, I64, I32) -> I32;
    FdPread = "fd_pread"(I32, I32, I32, I64, I32) -> I32;
    FdPrestatGet = "fd_prestat_get"(I32, I32) -> I32;
    FdPrestatDirName = "fd_prestat_dir_name"(I32, I32, I32) -> I32;
    FdPwrite = "fd_pwrite"(I32, I32, I32, I64, I32) -> I32;
    FdRead = "fd_read"(I32, I32, I32, I32) -> I32;
    FdReaddir = "fd_readdir"(I32, I32, I32, I64, I32) -> I32;
    FdRenumber = "fd_renumber"(I32, I32) -> I32;
    FdSeek = "fd_seek"(I32, I64, I32, I32) -> I32;
    FdSync = "fd_sync"(I32) -> I32;
    FdTell = "fd_tell"(I32, I32) -> I32;
    FdWrite = "fd_write"(I32, I32, I32, I32) -> I32;
    PathCreateDirectory = "path_create_directory"(I32, I32, I32) -> I32;
    PathFilestatGet = "path_filestat_get"(I32, I32, I32, I32, I32) -> I32;
    PathFilestatSetTimes = "path_filestat_set_times"(I32, I32, I32, I32, I64, I64, I32) -> I32;
    PathLink = "path_link"(I32, I32, I32, I32, I32, I32, I32) -> I32;
    PathOpen = "path_open"(I32, I32, I32, I32, I32, I64, I64, I32, I32) -> I32;
    PathReadlink = "path_readlink"(I32, I32, I32, I32, I32, I32) -> I32;
    PathRemoveDirectory = "path_remove_directory"(I32, I32, I32) -> I32;
    PathRename = "path_rename"(I32, I32, I32, I32, I32, I32) -> I32;
    PathSymlink = "path_symlink"(I32, I32, I32, I32, I32) -> I32;
    PathUnlinkFile = "path_unlink_file"(I32, I32, I32) -> I32;
    PollOneoff = "poll_oneoff"(I32, I32, I32, I32) -> I32;
    ProcExit = "proc_exit"(I32);
    ProcRaise = "proc_raise"(I32) -> I32;
    SchedYield = "sched_yield"() -> I32;
    RandomGet = "random_get"(I32, I32) -> I32;
    SockRecv = "sock_recv"(I32, I32, I32, I32, I32, I32) -> I32;
    SockSend = "sock_send"(I32, I32, I32, I32, I32) -> I32;
    SockShutdown = "sock_shutdown"(I32, I32) -> I32;
    // Not in preview 0.
    SockAccept = "sock_accept"(I32, I32, I32) -> I32;
}

const _: () = assert!(FUNCTIONS.len() == 46);

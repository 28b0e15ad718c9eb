//! The functions of `wasi_snapshot_preview1`, with their core Wasm types, and the numbers, flags
//! and structures that they take and write.
//!
//! Sources: `wasi_snapshot_preview1.witx` and `typenames.witx` of the WASI repository, lowered to
//! core types. Both sides index [`FUNCTIONS`]; the order is the ABI. `wasi_unstable` has the same
//! functions of the same types, apart from `sock_accept`; [`unstable`] has what differs.

mod enums;
mod flags;
mod structures;
pub mod unstable;

pub use enums::{Advice, Clockid, Errno, Eventtype, Filetype, Signal, Whence};
pub use flags::{
    Eventrwflags, Fdflags, Fstflags, Lookupflags, Oflags, Riflags, Rights, Sdflags, Subclockflags,
};
pub use structures::{Dirent, Event, Fdstat, Filestat, Iovec, Prestat, Subscription};

use crate::value::ValueType::{self, I32, I64};

/// A version of WASI, by which import module a program asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `wasi_snapshot_preview1`.
    Preview1,
    /// `wasi_unstable`, also called preview 0.
    Unstable,
}

/// What an index of a function of [`Version::Unstable`] has in addition.
const UNSTABLE: u64 = 1 << 32;

/// The function that an import names, and the word that the host knows it by.
pub fn find(module: &str, name: &str) -> Option<(&'static Function, u64)> {
    let version = match module {
        "wasi_snapshot_preview1" => 0,
        "wasi_unstable" if name != "sock_accept" => UNSTABLE,
        _ => return None,
    };
    let mut functions = FUNCTIONS.iter().zip(0..);
    let (function, index) = functions.find(|(function, _)| function.name == name)?;
    Some((function, index | version))
}

/// One function.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Import name.
    pub name: &'static str,
    /// Parameter types.
    pub params: &'static [ValueType],
    /// Whether it returns an errno. Only `proc_exit` does not.
    pub returns_errno: bool,
}

macro_rules! functions {
    ($( $id:ident = $name:literal ( $($param:ident),* ) $(-> $errno:ident)? ; )*) => {
        /// Index of each function in [`FUNCTIONS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        #[expect(missing_docs, reason = "each is documented by its witx entry")]
        pub enum FunctionId { $( $id, )* }

        /// Every function of preview 1.
        pub const FUNCTIONS: &[Function] = &[$(
            Function {
                name: $name,
                params: &[$($param),*],
                returns_errno: functions!(@errno $($errno)?),
            },
        )*];

        const IDS: &[FunctionId] = &[$( FunctionId::$id, )*];
    };
    (@errno errno) => { true };
    (@errno) => { false };
}

impl FunctionId {
    /// The name that programs import the function by.
    pub fn name(self) -> &'static str {
        FUNCTIONS[self as usize].name
    }

    /// The word that the host knows a function by.
    pub fn index(self, version: Version) -> u64 {
        match version {
            Version::Preview1 => self as u64,
            Version::Unstable => self as u64 | UNSTABLE,
        }
    }

    /// The function with this index, if there is one.
    pub fn from_index(index: u64) -> Option<(Self, Version)> {
        let version = match index & UNSTABLE {
            0 => Version::Preview1,
            _ => Version::Unstable,
        };
        let id = IDS.get(usize::try_from(index & !UNSTABLE).ok()?)?;
        Some((*id, version))
    }
}

functions! {
    ArgsGet = "args_get"(I32, I32) -> errno;
    ArgsSizesGet = "args_sizes_get"(I32, I32) -> errno;
    EnvironGet = "environ_get"(I32, I32) -> errno;
    EnvironSizesGet = "environ_sizes_get"(I32, I32) -> errno;
    ClockResGet = "clock_res_get"(I32, I32) -> errno;
    ClockTimeGet = "clock_time_get"(I32, I64, I32) -> errno;
    FdAdvise = "fd_advise"(I32, I64, I64, I32) -> errno;
    FdAllocate = "fd_allocate"(I32, I64, I64) -> errno;
    FdClose = "fd_close"(I32) -> errno;
    FdDatasync = "fd_datasync"(I32) -> errno;
    FdFdstatGet = "fd_fdstat_get"(I32, I32) -> errno;
    FdFdstatSetFlags = "fd_fdstat_set_flags"(I32, I32) -> errno;
    FdFdstatSetRights = "fd_fdstat_set_rights"(I32, I64, I64) -> errno;
    FdFilestatGet = "fd_filestat_get"(I32, I32) -> errno;
    FdFilestatSetSize = "fd_filestat_set_size"(I32, I64) -> errno;
    FdFilestatSetTimes = "fd_filestat_set_times"(I32, I64, I64, I32) -> errno;
    FdPread = "fd_pread"(I32, I32, I32, I64, I32) -> errno;
    FdPrestatGet = "fd_prestat_get"(I32, I32) -> errno;
    FdPrestatDirName = "fd_prestat_dir_name"(I32, I32, I32) -> errno;
    FdPwrite = "fd_pwrite"(I32, I32, I32, I64, I32) -> errno;
    FdRead = "fd_read"(I32, I32, I32, I32) -> errno;
    FdReaddir = "fd_readdir"(I32, I32, I32, I64, I32) -> errno;
    FdRenumber = "fd_renumber"(I32, I32) -> errno;
    FdSeek = "fd_seek"(I32, I64, I32, I32) -> errno;
    FdSync = "fd_sync"(I32) -> errno;
    FdTell = "fd_tell"(I32, I32) -> errno;
    FdWrite = "fd_write"(I32, I32, I32, I32) -> errno;
    PathCreateDirectory = "path_create_directory"(I32, I32, I32) -> errno;
    PathFilestatGet = "path_filestat_get"(I32, I32, I32, I32, I32) -> errno;
    PathFilestatSetTimes = "path_filestat_set_times"(I32, I32, I32, I32, I64, I64, I32) -> errno;
    PathLink = "path_link"(I32, I32, I32, I32, I32, I32, I32) -> errno;
    PathOpen = "path_open"(I32, I32, I32, I32, I32, I64, I64, I32, I32) -> errno;
    PathReadlink = "path_readlink"(I32, I32, I32, I32, I32, I32) -> errno;
    PathRemoveDirectory = "path_remove_directory"(I32, I32, I32) -> errno;
    PathRename = "path_rename"(I32, I32, I32, I32, I32, I32) -> errno;
    PathSymlink = "path_symlink"(I32, I32, I32, I32, I32) -> errno;
    PathUnlinkFile = "path_unlink_file"(I32, I32, I32) -> errno;
    PollOneoff = "poll_oneoff"(I32, I32, I32, I32) -> errno;
    ProcExit = "proc_exit"(I32);
    ProcRaise = "proc_raise"(I32) -> errno;
    SchedYield = "sched_yield"() -> errno;
    RandomGet = "random_get"(I32, I32) -> errno;
    SockAccept = "sock_accept"(I32, I32, I32) -> errno;
    SockRecv = "sock_recv"(I32, I32, I32, I32, I32, I32) -> errno;
    SockSend = "sock_send"(I32, I32, I32, I32, I32) -> errno;
    SockShutdown = "sock_shutdown"(I32, I32) -> errno;
}

/// Words before a WASI function's own arguments: its index, memory address and length.
pub const FIRST_ARGUMENT: usize = 3;

const _: () = {
    assert!(FUNCTIONS.len() == 46);
    let mut i = 0;
    while i < FUNCTIONS.len() {
        assert!(FUNCTIONS[i].params.len() + FIRST_ARGUMENT <= crate::mailbox::REQUEST_ARGS);
        i += 1;
    }
};

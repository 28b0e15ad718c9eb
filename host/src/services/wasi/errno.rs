//! From the system's errors to preview 1's.

use rustix::io::Errno as System;
use std::io;
use wasmtime_wasi::p1::types::{self, Errno};

/// What a function of preview 1 returns: an errno, or the reason for a trap.
pub(super) type Result<T> = std::result::Result<T, types::Error>;

/// The errno of a failed system call.
pub(super) fn of_io(error: &io::Error) -> Errno {
    match System::from_io_error(error) {
        Some(error) => of_system(error),
        None => match error.kind() {
            io::ErrorKind::NotFound => Errno::Noent,
            // A path led out of its directory.
            io::ErrorKind::PermissionDenied => Errno::Perm,
            io::ErrorKind::AlreadyExists => Errno::Exist,
            io::ErrorKind::InvalidInput => Errno::Inval,
            _ => Errno::Io,
        },
    }
}

/// The result of a system call, for the guest.
pub(super) trait OrErrno<T> {
    /// Turns the error into an errno.
    fn or_errno(self) -> Result<T>;
}

impl<T> OrErrno<T> for io::Result<T> {
    fn or_errno(self) -> Result<T> {
        self.map_err(|error| of_io(&error).into())
    }
}

impl<T> OrErrno<T> for rustix::io::Result<T> {
    fn or_errno(self) -> Result<T> {
        self.map_err(|error| of_system(error).into())
    }
}

/// The errno of a failed system call.
pub(super) fn of_system(error: System) -> Errno {
    match error {
        System::TOOBIG => Errno::TooBig,
        System::ACCESS => Errno::Acces,
        System::CONNABORTED => Errno::Connaborted,
        System::CONNREFUSED => Errno::Connrefused,
        System::CONNRESET => Errno::Connreset,
        System::DESTADDRREQ => Errno::Destaddrreq,
        System::FAULT => Errno::Fault,
        System::HOSTUNREACH => Errno::Hostunreach,
        System::MSGSIZE => Errno::Msgsize,
        System::NETDOWN => Errno::Netdown,
        System::NETUNREACH => Errno::Netunreach,
        System::NOBUFS => Errno::Nobufs,
        System::NOTCONN => Errno::Notconn,
        System::AGAIN => Errno::Again,
        System::ALREADY => Errno::Already,
        System::BADF => Errno::Badf,
        System::BUSY => Errno::Busy,
        System::DEADLK => Errno::Deadlk,
        System::DQUOT => Errno::Dquot,
        System::EXIST => Errno::Exist,
        System::FBIG => Errno::Fbig,
        System::ILSEQ => Errno::Ilseq,
        System::INPROGRESS => Errno::Inprogress,
        System::INTR => Errno::Intr,
        System::INVAL => Errno::Inval,
        System::ISDIR => Errno::Isdir,
        System::LOOP => Errno::Loop,
        System::MFILE => Errno::Mfile,
        System::MLINK => Errno::Mlink,
        System::NAMETOOLONG => Errno::Nametoolong,
        System::NFILE => Errno::Nfile,
        System::NODEV => Errno::Nodev,
        System::NOENT => Errno::Noent,
        System::NOLCK => Errno::Nolck,
        System::NOMEM => Errno::Nomem,
        System::NOSPC => Errno::Nospc,
        System::NOTDIR => Errno::Notdir,
        System::NOTEMPTY => Errno::Notempty,
        System::NOTTY => Errno::Notty,
        System::NXIO => Errno::Nxio,
        System::OVERFLOW => Errno::Overflow,
        System::PERM => Errno::Perm,
        System::PIPE => Errno::Pipe,
        System::ROFS => Errno::Rofs,
        System::SPIPE => Errno::Spipe,
        System::STALE => Errno::Stale,
        System::TIMEDOUT => Errno::Timedout,
        System::TXTBSY => Errno::Txtbsy,
        System::XDEV => Errno::Xdev,
        // The two are one number on Linux.
        _ if error == System::NOTSUP || error == System::OPNOTSUPP => Errno::Notsup,
        _ => Errno::Io,
    }
}

//! How a call fails, and the system's errors as preview 1's.

use crate::error::Error;
use crate::machine::CancelState;
use rustix::io::Errno as System;
use std::io;
use std::num::TryFromIntError;
use wrt_abi::UnknownNumber;
use wrt_abi::services::wasi::Errno;

/// Why a call does not succeed.
#[derive(Debug)]
pub(super) enum Failed {
    /// The program is told.
    Errno(Errno),
    /// The program ends: its arguments make no sense.
    Fault(Fault),
    /// The program ends, since it wants to, with this code.
    Exit(i32),
    /// The VM's call ends.
    Ended(Error),
}

/// What is wrong with a call's arguments.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A place that is not within linear memory.
    #[error("{len} bytes at {at:#x} are outside the memory, which has {memory:#x} bytes")]
    Outside {
        /// Address of the first byte.
        at: u64,
        /// Number of bytes.
        len: u64,
        /// Number of bytes that the memory has.
        memory: u64,
    },
    /// A place where no value of that type can be.
    #[error("address {at:#x} is no multiple of {to}")]
    Unaligned {
        /// The address.
        at: u64,
        /// What it has to be a multiple of.
        to: usize,
    },
    /// A number that is not in its enumeration or set of flags.
    #[error(transparent)]
    Number(#[from] UnknownNumber),
}

/// What a function returns.
pub(super) type Result<T> = std::result::Result<T, Failed>;

/// What a check of arguments returns.
pub(super) type Checked<T> = std::result::Result<T, Fault>;

impl From<Errno> for Failed {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TryFromIntError> for Failed {
    fn from(_: TryFromIntError) -> Self {
        Self::Errno(Errno::Overflow)
    }
}

/// Ends a call that takes its time, once it is interrupted.
pub(super) fn go_on(cancel: &CancelState) -> Result<()> {
    match cancel.interruption() {
        Some(why) => Err(Failed::Ended(Error::Interrupted(why))),
        None => Ok(()),
    }
}

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

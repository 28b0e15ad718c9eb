//! The system's error numbers in WASI's.

use rustix::io::Errno;
use wasmtime_wasi::p1::types;

/// What a program is told of an error that reading or writing can have.
pub(super) fn of(errno: Errno) -> types::Errno {
    match errno {
        Errno::AGAIN => types::Errno::Again,
        Errno::BADF => types::Errno::Badf,
        Errno::CONNABORTED => types::Errno::Connaborted,
        Errno::CONNREFUSED => types::Errno::Connrefused,
        Errno::CONNRESET => types::Errno::Connreset,
        Errno::DESTADDRREQ => types::Errno::Destaddrreq,
        Errno::DQUOT => types::Errno::Dquot,
        Errno::FAULT => types::Errno::Fault,
        Errno::FBIG => types::Errno::Fbig,
        Errno::HOSTUNREACH => types::Errno::Hostunreach,
        Errno::INTR => types::Errno::Intr,
        Errno::INVAL => types::Errno::Inval,
        Errno::ISDIR => types::Errno::Isdir,
        Errno::MSGSIZE => types::Errno::Msgsize,
        Errno::NETDOWN => types::Errno::Netdown,
        Errno::NETUNREACH => types::Errno::Netunreach,
        Errno::NOBUFS => types::Errno::Nobufs,
        Errno::NODEV => types::Errno::Nodev,
        Errno::NOMEM => types::Errno::Nomem,
        Errno::NOSPC => types::Errno::Nospc,
        Errno::NOTCONN => types::Errno::Notconn,
        Errno::NXIO => types::Errno::Nxio,
        Errno::OVERFLOW => types::Errno::Overflow,
        Errno::PERM => types::Errno::Perm,
        Errno::PIPE => types::Errno::Pipe,
        Errno::ROFS => types::Errno::Rofs,
        Errno::STALE => types::Errno::Stale,
        Errno::TIMEDOUT => types::Errno::Timedout,
        _ => types::Errno::Io,
    }
}

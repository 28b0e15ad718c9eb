//! Errors of the host's preview 1, and what preview 2 calls them.

use super::bindings::wasi::filesystem::types::ErrorCode;
use core::fmt;
use wasmtime::Error;
use wasmtime::component::ResourceTableError;

/// Preview 1's number of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

impl Errno {
    pub const BADF: Self = Self(8);
    pub const ILSEQ: Self = Self(25);
    pub const INTR: Self = Self(27);
    pub const INVAL: Self = Self(28);
    pub const IO: Self = Self(29);
    pub const ISDIR: Self = Self(31);
    pub const NAMETOOLONG: Self = Self(37);
    pub const NOTDIR: Self = Self(54);
    pub const OVERFLOW: Self = Self(61);
    pub const PERM: Self = Self(63);
    pub const PIPE: Self = Self(64);

    /// The same error in preview 2, which has fewer.
    pub fn code(self) -> ErrorCode {
        CODES.iter().find(|(errno, _)| *errno == self.0).map_or(ErrorCode::Io, |&(_, code)| code)
    }
}

/// Numbers of preview 1 (`typenames.witx`) that have a counterpart.
const CODES: &[(u16, ErrorCode)] = &[
    (2, ErrorCode::Access),
    (6, ErrorCode::WouldBlock),
    (7, ErrorCode::Already),
    (8, ErrorCode::BadDescriptor),
    (10, ErrorCode::Busy),
    (16, ErrorCode::Deadlock),
    (19, ErrorCode::Quota),
    (20, ErrorCode::Exist),
    (22, ErrorCode::FileTooLarge),
    (25, ErrorCode::IllegalByteSequence),
    (26, ErrorCode::InProgress),
    (27, ErrorCode::Interrupted),
    (28, ErrorCode::Invalid),
    (29, ErrorCode::Io),
    (31, ErrorCode::IsDirectory),
    (32, ErrorCode::Loop),
    // `mfile`: the most files that a program may have open at a time.
    (33, ErrorCode::Quota),
    (34, ErrorCode::TooManyLinks),
    (35, ErrorCode::MessageSize),
    (37, ErrorCode::NameTooLong),
    (43, ErrorCode::NoDevice),
    (44, ErrorCode::NoEntry),
    (46, ErrorCode::NoLock),
    (48, ErrorCode::InsufficientMemory),
    (51, ErrorCode::InsufficientSpace),
    // `nosys`.
    (52, ErrorCode::Unsupported),
    (54, ErrorCode::NotDirectory),
    (55, ErrorCode::NotEmpty),
    (56, ErrorCode::NotRecoverable),
    (58, ErrorCode::Unsupported),
    (59, ErrorCode::NoTty),
    (60, ErrorCode::NoSuchDevice),
    (61, ErrorCode::Overflow),
    (63, ErrorCode::NotPermitted),
    (64, ErrorCode::Pipe),
    (69, ErrorCode::ReadOnly),
    (70, ErrorCode::InvalidSeek),
    (74, ErrorCode::TextFileBusy),
    (75, ErrorCode::CrossDevice),
    // `notcapable`.
    (76, ErrorCode::NotPermitted),
];

/// How a call of the host's preview 1 failed.
#[derive(Debug)]
pub enum Failure {
    /// The program hears of it.
    Errno(Errno),
    /// The program ends.
    Trap(Error),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// Wrong handles cannot come from a component; what can is a table that is full.
impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Errno(errno) => Error::msg(errno),
            Failure::Trap(error) => error,
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (errno {})", self.code().message(), self.0)
    }
}

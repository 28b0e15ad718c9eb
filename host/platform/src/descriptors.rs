//! Descriptors that a process was started with, beside the standard streams.
//!
//! A program inherits what its parent left open, by mistake more often than not. Whoever means to
//! run somebody else's code should neither have them nor pass them on.

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Where the system lists them.
const LIST: &str = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };

/// The descriptors, until they are closed by dropping this. Programs that this process starts do
/// not get them.
#[derive(Debug)]
pub struct Inherited {
    #[expect(dead_code, reason = "held, to be closed")]
    descriptors: Vec<OwnedFd>,
}

impl Inherited {
    /// Takes what is open, but for the standard streams.
    ///
    /// # Safety
    ///
    /// Nothing in this process has opened a file yet, or will use one that it has: to be called
    /// first thing in `main`.
    ///
    /// # Errors
    ///
    /// When the system does not list them.
    pub unsafe fn take() -> io::Result<Self> {
        let numbers: Vec<RawFd> = std::fs::read_dir(LIST)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|number| *number > 2)
            .collect();
        let mut descriptors = Vec::new();
        for number in numbers {
            // SAFETY: used for two calls, which a number that is not open makes fail: that of
            // the list itself.
            let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
            let Ok(flags) = fcntl_getfd(borrowed) else { continue };
            fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
            // SAFETY: it is open, and the caller vouches that it is nobody's.
            descriptors.push(unsafe { OwnedFd::from_raw_fd(number) });
        }
        Ok(Self { descriptors })
    }
}

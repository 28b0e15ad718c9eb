//! Descriptors that a process was started with, beside the standard streams.
//!
//! A program inherits what its parent left open, by mistake more often than not. Whoever means to
//! run somebody else's code should neither have them nor pass them on.

use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

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

/// Whether a system call failed because there are too many open files, in this process or in the
/// whole system.
pub fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Puts a descriptor in the place of a standard stream. Programs that this process starts get it.
///
/// # Errors
///
/// When the number is no standard stream's, or the system refuses.
pub fn replace_stream(number: RawFd, with: OwnedFd) -> io::Result<()> {
    if !(0..=2).contains(&number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the number is a standard stream's, which nothing owns; what was open there before
    // is closed by the call. (`dup2` is another call on each architecture.)
    #[cfg(target_os = "linux")]
    let replaced = unsafe { libc::dup3(with.as_raw_fd(), number, 0) };
    // SAFETY: as above.
    #[cfg(not(target_os = "linux"))]
    let replaced = unsafe { libc::dup2(with.as_raw_fd(), number) };
    if replaced < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Has a command start without any descriptor of this process's beyond `last`, whatever other
/// code has left open. (Rust's own are not passed on in any case.)
#[cfg(target_os = "linux")]
pub fn pass_none_after(
    command: &mut std::process::Command,
    last: RawFd,
) -> &mut std::process::Command {
    use std::os::unix::process::CommandExt as _;
    let first = last.unsigned_abs() + 1;
    // SAFETY: between fork and exec it makes one system call. A kernel without it (before 5.11)
    // leaves the descriptors that they are.
    unsafe {
        command.pre_exec(move || {
            libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            Ok(())
        })
    }
}

/// Elsewhere each descriptor says for itself whether it is passed on.
#[cfg(not(target_os = "linux"))]
pub fn pass_none_after(
    command: &mut std::process::Command,
    _: RawFd,
) -> &mut std::process::Command {
    command
}

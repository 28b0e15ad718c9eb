//! Standard streams of this process: writes that do not wait without a bound.
//!
//! What stands behind a stream (a pipe that is not read, a terminal that was stopped) decides how
//! long a write takes. Three kinds of callers differ in what they wait for:
//!
//! | caller | waits |
//! |---|---|
//! | code in an [interruptible](crate::interrupt) section | until the section is interrupted |
//! | the rest of a process that [is impatient](be_impatient) | so long, once in the process |
//! | a signal handler (`write_now`) | not at all |

use crate::interrupt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes that are written at once to a stream that must not block: a pipe that `poll` calls
/// writable takes so many on every system (`_POSIX_PIPE_BUF`).
const AT_ONCE: usize = 512;

/// Milliseconds that are left to wait outside of sections; `u64::MAX` for no bound.
static PATIENCE: AtomicU64 = AtomicU64::new(u64::MAX);

/// Bounds what this process waits, outside of [interruptible](crate::interrupt) sections and in all,
/// for streams that are not read. What cannot be written in that time is left out.
pub fn be_impatient(limit: Duration) {
    let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    PATIENCE.fetch_min(limit, Ordering::Relaxed);
}

/// This process's standard error, without a lock and without a buffer.
#[derive(Clone, Copy, Debug, Default)]
pub struct StandardError;

impl Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_bounded(std::io::stderr().as_fd(), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes some of `bytes`, waiting for no longer than this thread may.
///
/// # Errors
///
/// `TimedOut` when it would have to wait longer; else the system's.
pub fn write_bounded(to: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        let waits = may_wait();
        let bytes = match waits {
            Wait::AsLongAsItTakes => bytes,
            Wait::AtMost(limit) => {
                wait_writable(to, limit)?;
                &bytes[..bytes.len().min(AT_ONCE)]
            }
        };
        match rustix::io::write(to, bytes) {
            Ok(written) => return Ok(written),
            Err(Errno::INTR) => {}
            // The file was made non-blocking by another process that has it.
            Err(Errno::AGAIN) if matches!(waits, Wait::AsLongAsItTakes) => {
                let mut stream = [PollFd::new(&to, PollFlags::OUT)];
                match poll(&mut stream, None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The same for all of `bytes`.
///
/// # Errors
///
/// As [`write_bounded`]; some bytes may be written then.
pub fn write_all_bounded(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write_bounded(to, bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => bytes = &bytes[written..],
        }
    }
    Ok(())
}

/// How long a write may wait.
enum Wait {
    AsLongAsItTakes,
    AtMost(Duration),
}

fn may_wait() -> Wait {
    if interrupt::requested() {
        return Wait::AtMost(Duration::ZERO);
    }
    match PATIENCE.load(Ordering::Relaxed) {
        u64::MAX => Wait::AsLongAsItTakes,
        // The section's end is the bound.
        _ if interrupt::is_inside() => Wait::AsLongAsItTakes,
        left => Wait::AtMost(Duration::from_millis(left)),
    }
}

/// Waits until a stream takes bytes; what that takes is taken off the patience of the process.
fn wait_writable(to: BorrowedFd<'_>, limit: Duration) -> io::Result<()> {
    let begun = Instant::now();
    let mut stream = [PollFd::new(&to, PollFlags::OUT)];
    let ready = loop {
        let left = limit.saturating_sub(begun.elapsed());
        let time = Timespec { tv_sec: 0, tv_nsec: 0 };
        let time = Timespec::try_from(left).unwrap_or(time);
        match poll(&mut stream, Some(&time)) {
            Err(Errno::INTR) => {}
            other => break other?,
        }
    };
    let waited = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let _ = PATIENCE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
        (left != u64::MAX).then(|| left.saturating_sub(waited))
    });
    match ready {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

/// Writes as many bytes as a descriptor takes without waiting. For signal handlers: it is
/// async-signal-safe.
pub(crate) fn write_now(to: RawFd, bytes: &[u8]) {
    for part in bytes.chunks(AT_ONCE) {
        let mut stream = libc::pollfd { fd: to, events: libc::POLLOUT, revents: 0 };
        // SAFETY: both are async-signal-safe (`signal-safety(7)`), and the bytes are there.
        let written = unsafe {
            if libc::poll(&raw mut stream, 1, 0) != 1 || stream.revents & libc::POLLOUT == 0 {
                return;
            }
            libc::write(to, part.as_ptr().cast(), part.len())
        };
        if usize::try_from(written) != Ok(part.len()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interrupt::Interrupter;
    use std::io::Read as _;

    /// A pipe that takes no more bytes.
    fn full() -> (io::PipeReader, io::PipeWriter) {
        let (from, to) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&to, true).unwrap();
        while (&to).write(&[0; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&to, false).unwrap();
        (from, to)
    }

    #[test]
    fn a_handler_writes_what_fits() {
        use std::os::fd::AsRawFd as _;
        let (mut from, to) = io::pipe().unwrap();
        write_now(to.as_raw_fd(), &[7; 3000]);
        let mut bytes = [0; 4000];
        assert_eq!(from.read(&mut bytes).unwrap(), 3000);
        let (_from, to) = full();
        // It would hang.
        write_now(to.as_raw_fd(), &[7; 3000]);
    }

    #[test]
    fn an_interrupted_section_does_not_wait() {
        let (_from, to) = full();
        let interrupter = Interrupter::new();
        let _section = interrupter.enter().unwrap();
        assert!(interrupter.interrupt());
        let error = write_bounded(to.as_fd(), b"bytes").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_stream_that_others_made_non_blocking_is_waited_for() {
        let (mut from, to) = full();
        rustix::io::ioctl_fionbio(&to, true).unwrap();
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).map(|_| bytes)
        });
        let mut bytes = &b"to the last"[..];
        while !bytes.is_empty() {
            bytes = &bytes[write_bounded(to.as_fd(), bytes).unwrap()..];
        }
        drop(to);
        assert!(reader.join().unwrap().unwrap().ends_with(b"to the last"));
    }
}

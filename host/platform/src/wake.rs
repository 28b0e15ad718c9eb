//! Waking a thread that waits for descriptors.

#[cfg(target_os = "linux")]
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// Ends a wait in `poll` of another thread. A wake that comes before the wait ends that at once.
#[derive(Debug)]
pub struct Waker {
    /// Readable when woken.
    read: OwnedFd,
    /// What wakes it, where that is another descriptor.
    #[cfg(not(target_os = "linux"))]
    write: OwnedFd,
}

impl Waker {
    /// A waker that has not been woken.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left.
    #[cfg(target_os = "linux")]
    pub fn new() -> io::Result<Self> {
        Ok(Self { read: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    /// A waker that has not been woken.
    ///
    /// # Errors
    ///
    /// When the process or the system has no descriptor left.
    #[cfg(not(target_os = "linux"))]
    pub fn new() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        rustix::io::ioctl_fionbio(&read, true)?;
        rustix::io::ioctl_fionbio(&write, true)?;
        Ok(Self { read: read.into(), write: write.into() })
    }

    /// What becomes readable.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Ends the current wait, or the next. Never blocks.
    pub fn wake(&self) {
        #[cfg(target_os = "linux")]
        let write = &self.read;
        #[cfg(not(target_os = "linux"))]
        let write = &self.write;
        // Full is as good: it is readable then.
        let _ = rustix::io::write(write, &1_u64.to_ne_bytes());
    }

    /// Forgets all wakes so far.
    pub fn clear(&self) {
        let mut bytes = [0; 512];
        loop {
            match rustix::io::read(&self.read, &mut bytes) {
                // An event counter is empty after one read, and a pipe after a few: it holds no
                // more than the system lets it.
                Ok(1..) => {}
                Err(Errno::INTR) => {}
                Ok(0) | Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_awake(waker: &Waker) -> bool {
        let mut wanted = [PollFd::from_borrowed_fd(waker.descriptor(), PollFlags::IN)];
        poll(&mut wanted, Some(&Timespec::default())).unwrap() == 1
    }

    #[test]
    fn a_wake_stays_until_it_is_forgotten() {
        let waker = Waker::new().unwrap();
        assert!(!is_awake(&waker));
        for _ in 0..100_000 {
            waker.wake();
        }
        assert!(is_awake(&waker));
        waker.clear();
        assert!(!is_awake(&waker));
        waker.wake();
        assert!(is_awake(&waker));
    }
}

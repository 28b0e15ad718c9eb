//! Futexes.
//!
//! Two kinds. The plain one has three states, so that giving back a lock that nobody waits for
//! costs no system call. The one with priority inheritance holds its holder's thread number: the
//! kernel knows whom to hurry, and hands it over.

use rustix::io::Errno;
use rustix::thread::futex::{Flags, lock_pi, unlock_pi, wait, wake};
use rustix::thread::gettid;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// By what locks work, for people.
pub(super) const HOW: &str = "futex; with priority inheritance FUTEX_LOCK_PI";

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and somebody sleeps.
const AWAITED: u32 = 2;

#[derive(Debug)]
pub(super) struct Raw {
    word: AtomicU32,
    inherit: bool,
}

impl Raw {
    pub(super) const fn new() -> Self {
        Self { word: AtomicU32::new(FREE), inherit: false }
    }

    /// A lock with priority inheritance or without, if the kernel has it.
    pub(super) fn with(inherit: bool) -> Option<Self> {
        let supported = || {
            // Taken and given back by the kernel: ENOSYS where it cannot.
            let word = AtomicU32::new(0);
            lock_pi(&word, Flags::PRIVATE, None)
                .and_then(|()| unlock_pi(&word, Flags::PRIVATE))
                .is_ok()
        };
        (!inherit || supported()).then_some(Self { word: AtomicU32::new(FREE), inherit })
    }

    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        let held = if self.inherit { me() } else { HELD };
        // The load keeps those that spin from taking the holder's cache line.
        self.word.load(Relaxed) == FREE
            && self.word.compare_exchange(FREE, held, Acquire, Relaxed).is_ok()
    }

    /// Takes the lock, asleep until it is free.
    pub(super) fn lock(&self) {
        if self.inherit {
            return self.lock_inheriting();
        }
        // Whoever slept does not know whether others do, and says that they may.
        while self.word.swap(AWAITED, Acquire) != FREE {
            // Woken, interrupted or too late: it is looked at again.
            let _ = wait(&self.word, Flags::PRIVATE, AWAITED, None);
        }
    }

    fn lock_inheriting(&self) {
        // Ends as the holder gives it back: an interruption is one signal, and the kernel asks to
        // try again only while a holder's thread is ending.
        loop {
            match lock_pi(&self.word, Flags::PRIVATE, None) {
                // The kernel's write of the word comes with its own barrier.
                Ok(()) => return std::sync::atomic::fence(Acquire),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => panic!("a lock with priority inheritance: {error}"),
            }
        }
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// 1. This thread holds it.
    #[inline]
    pub(super) unsafe fn unlock(&self) {
        if self.inherit {
            // Only if nobody waits does the word hold nothing but this thread's number.
            if self.word.compare_exchange(me(), FREE, Release, Relaxed).is_err() {
                // It cannot fail: this thread holds it (1).
                let _ = unlock_pi(&self.word, Flags::PRIVATE);
            }
        } else if self.word.swap(FREE, Release) == AWAITED {
            let _ = wake(&self.word, Flags::PRIVATE, 1);
        }
    }
}

/// This thread's number in the system, anew each time: a forked child has another.
fn me() -> u32 {
    gettid().as_raw_nonzero().get().unsigned_abs()
}

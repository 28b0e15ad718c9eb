//! `os_unfair_lock`.

use std::cell::UnsafeCell;

/// By what locks work, for people.
pub(super) const HOW: &str = "os_unfair_lock, which lends the holder the priority of who waits";

/// A lock that the kernel knows by its address while it is held: it is borrowed then.
pub(super) struct Raw(UnsafeCell<libc::os_unfair_lock>);

// SAFETY: `os_unfair_lock` (os/lock.h) is made for use from several threads.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").finish_non_exhaustive()
    }
}

impl Raw {
    pub(super) const fn new() -> Self {
        Self(UnsafeCell::new(libc::OS_UNFAIR_LOCK_INIT))
    }

    /// It inherits priorities either way.
    #[expect(clippy::unnecessary_wraps, reason = "the face is the same on every system")]
    pub(super) fn with(_inherit: bool) -> Option<Self> {
        Some(Self::new())
    }

    #[inline]
    pub(super) fn try_lock(&self) -> bool {
        // SAFETY: `os_unfair_lock_trylock` (os/lock.h) of a lock that is initialized and stays
        // where it is while it is borrowed.
        unsafe { libc::os_unfair_lock_trylock(self.0.get()) }
    }

    /// Takes the lock, asleep until it is free.
    pub(super) fn lock(&self) {
        // SAFETY: `os_unfair_lock_lock` (os/lock.h), as above. Taken twice by one thread it ends
        // the process.
        unsafe { libc::os_unfair_lock_lock(self.0.get()) };
    }

    /// Gives the lock back.
    ///
    /// # Safety
    ///
    /// 1. This thread holds it.
    #[inline]
    pub(super) unsafe fn unlock(&self) {
        // SAFETY: `os_unfair_lock_unlock` (os/lock.h), by (1).
        unsafe { libc::os_unfair_lock_unlock(self.0.get()) };
    }
}

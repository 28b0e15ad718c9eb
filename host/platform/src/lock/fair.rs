//! Data behind a queue of threads.
//!
//! Whoever gives the lock back hands it to the first in the queue: nobody can take it in between.
//! That is fair, and costs a switch of threads each time that somebody waits.

use super::UnfairLock;
use super::spin::Spinner;
use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

/// Data that one thread at a time can reach, in the order in which they came; see the
/// [module](super).
pub struct FairLock<T: ?Sized> {
    queue: UnfairLock<Queue>,
    spinner: Spinner,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the value, which may then move to another.
unsafe impl<T: ?Sized + Send> Send for FairLock<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for FairLock<T> {}

/// That the lock is held, until this is dropped.
#[must_use = "the lock is given back when this is dropped"]
pub struct FairGuard<'a, T: ?Sized>(&'a FairLock<T>);

// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Sync> Sync for FairGuard<'_, T> {}

struct Queue {
    held: bool,
    waiting: VecDeque<Arc<Waiter>>,
}

struct Waiter {
    thread: Thread,
    /// The lock is this thread's now.
    granted: AtomicBool,
}

impl<T> FairLock<T> {
    /// A lock that nobody holds, without spinning.
    pub const fn new(value: T) -> Self {
        Self::from_parts(Spinner::new(super::SpinPolicy::None), value)
    }

    pub(super) const fn from_parts(spinner: Spinner, value: T) -> Self {
        let queue = UnfairLock::new(Queue { held: false, waiting: VecDeque::new() });
        Self { queue, spinner, value: UnsafeCell::new(value) }
    }

    /// The data, of which there is no other user.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> FairLock<T> {
    /// Takes the lock when all that came before have had it.
    pub fn lock(&self) -> FairGuard<'_, T> {
        let me = {
            let mut queue = self.queue.lock();
            if !queue.held {
                queue.held = true;
                return FairGuard(self);
            }
            let (thread, granted) = (thread::current(), AtomicBool::new(false));
            let me = Arc::new(Waiter { thread, granted });
            queue.waiting.push_back(Arc::clone(&me));
            me
        };
        // What the holder before wrote is seen by the acquiring load.
        let granted = || me.granted.load(Ordering::Acquire);
        if !self.spinner.spin(granted) {
            while !granted() {
                thread::park();
            }
        }
        FairGuard(self)
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<FairGuard<'_, T>> {
        let mut queue = self.queue.lock();
        if queue.held {
            return None;
        }
        queue.held = true;
        Some(FairGuard(self))
    }

    /// How many threads wait for the lock.
    pub fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// The data, which is borrowed exclusively.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Deref for FairGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.0.value.get() }
    }
}

impl<T: ?Sized> DerefMut for FairGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard borrowed exclusively.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T: ?Sized> Drop for FairGuard<'_, T> {
    fn drop(&mut self) {
        let mut queue = self.0.queue.lock();
        let Some(next) = queue.waiting.pop_front() else {
            queue.held = false;
            return;
        };
        // It stays held: it changes hands.
        drop(queue);
        next.granted.store(true, Ordering::Release);
        next.thread.unpark();
    }
}

impl<T: Default> Default for FairLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for FairLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("FairLock");
        match self.try_lock() {
            Some(value) => debug.field("value", &&*value).finish(),
            None => debug.finish_non_exhaustive(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for FairGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

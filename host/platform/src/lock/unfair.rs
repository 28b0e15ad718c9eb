//! Data behind the system's own lock.

use super::spin::Spinner;
use super::{SpinPolicy, sys};
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Data that one thread at a time can reach, whichever takes the lock first; see the
/// [module](super).
pub struct UnfairLock<T: ?Sized> {
    raw: sys::Raw,
    spinner: Spinner,
    value: UnsafeCell<T>,
}

// SAFETY: the lock lets one thread at a time reach the value, which may then move to another.
unsafe impl<T: ?Sized + Send> Send for UnfairLock<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for UnfairLock<T> {}

/// That the lock is held, until this is dropped. It stays on its thread: both systems know the
/// holder.
#[must_use = "the lock is given back when this is dropped"]
pub struct UnfairGuard<'a, T: ?Sized> {
    lock: &'a UnfairLock<T>,
    not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out shared references to the value.
unsafe impl<T: ?Sized + Sync> Sync for UnfairGuard<'_, T> {}

impl<T> UnfairLock<T> {
    /// A lock that nobody holds, without spinning and (on Linux) without priority inheritance.
    pub const fn new(value: T) -> Self {
        Self::from_parts(sys::Raw::new(), Spinner::new(SpinPolicy::None), value)
    }

    pub(super) const fn from_parts(raw: sys::Raw, spinner: Spinner, value: T) -> Self {
        Self { raw, spinner, value: UnsafeCell::new(value) }
    }

    /// The data, of which there is no other user.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> UnfairLock<T> {
    /// Takes the lock, as soon as nobody holds it.
    ///
    /// # Panics
    ///
    /// With priority inheritance on Linux, when this thread holds it already.
    pub fn lock(&self) -> UnfairGuard<'_, T> {
        if !self.raw.try_lock() && !self.spinner.spin(|| self.raw.try_lock()) {
            self.raw.lock();
        }
        UnfairGuard { lock: self, not_send: PhantomData }
    }

    /// Takes the lock if nobody holds it.
    pub fn try_lock(&self) -> Option<UnfairGuard<'_, T>> {
        let guard = || UnfairGuard { lock: self, not_send: PhantomData };
        self.raw.try_lock().then(guard)
    }

    /// The data, which is borrowed exclusively.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: ?Sized> Deref for UnfairGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for UnfairGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for UnfairGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: this thread holds the lock: the guard was made when it took it, and stayed.
        unsafe { self.lock.raw.unlock() };
    }
}

impl<T: Default> Default for UnfairLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for UnfairLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("UnfairLock");
        match self.try_lock() {
            Some(value) => debug.field("value", &&*value).finish(),
            None => debug.finish_non_exhaustive(),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for UnfairGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

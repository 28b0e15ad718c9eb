//! Locks with options.

use super::spin::Spinner;
use super::{FairLock, SpinPolicy, UnfairLock, sys};
use thiserror::Error;

/// Why there is no such lock.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LockError {
    /// The system has no lock like this.
    #[error("{0} is not supported on this system: build the lock without it")]
    Unsupported(&'static str),
}

/// Says what a lock is to be like.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct LockBuilder {
    spin: SpinPolicy,
    inherit: bool,
}

impl LockBuilder {
    /// No spinning, no priority inheritance.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often to try before sleeping.
    pub fn with_spin_policy(mut self, policy: SpinPolicy) -> Self {
        self.spin = policy;
        self
    }

    /// Whether the holder has at least the priority of those that wait. `os_unfair_lock` does so
    /// always; on Linux it is another kind of futex (`FUTEX_LOCK_PI`), and a slower one.
    pub fn with_priority_inheritance(mut self, inherit: bool) -> Self {
        self.inherit = inherit;
        self
    }

    /// Makes an unfair lock.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the system has no priority inheritance (Linux without
    /// `CONFIG_FUTEX_PI`).
    pub fn build<T>(self, value: T) -> Result<UnfairLock<T>, LockError> {
        let raw =
            sys::Raw::with(self.inherit).ok_or(LockError::Unsupported("priority inheritance"))?;
        Ok(UnfairLock::from_parts(raw, Spinner::new(self.spin), value))
    }

    /// Makes a fair lock: threads get it in the order in which they came.
    ///
    /// # Errors
    ///
    /// `Unsupported` with priority inheritance, which no system has for a queue of this crate's.
    pub fn build_fair<T>(self, value: T) -> Result<FairLock<T>, LockError> {
        if self.inherit {
            return Err(LockError::Unsupported("priority inheritance of a fair lock"));
        }
        Ok(FairLock::from_parts(Spinner::new(self.spin), value))
    }
}

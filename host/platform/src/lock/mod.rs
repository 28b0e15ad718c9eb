//! Locks: the fastest that the system has, and one that is fair.
//!
//! An [`UnfairLock`] goes to whoever takes it first: a thread that just gave it back may take it
//! again before those that wait. It is `os_unfair_lock` on macOS, a futex on Linux. A
//! [`FairLock`] goes to those that wait in the order in which they came, and pays for it. Use
//! the unfair one unless somebody must not wait for long.
//!
//! ```
//! use wrt_platform::lock::{LockBuilder, SpinPolicy, UnfairLock};
//!
//! # fn main() -> Result<(), wrt_platform::lock::LockError> {
//! static COUNT: UnfairLock<u32> = UnfairLock::new(0);
//! *COUNT.lock() += 1;
//!
//! let lock = LockBuilder::new()
//!     .with_spin_policy(SpinPolicy::Adaptive)
//!     .with_priority_inheritance(false)
//!     .build(vec![1, 2])?;
//! lock.lock().push(3);
//! assert_eq!(lock.into_inner().len(), 3);
//! # Ok(())
//! # }
//! ```
//!
//! A panic while a lock is held gives it back: the data is as the panic left it. None may be
//! taken twice by one thread: on macOS that ends the process, on Linux it waits for ever.

mod builder;
mod fair;
mod spin;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod sys;
mod unfair;

pub use builder::{LockBuilder, LockError};
pub use fair::{FairGuard, FairLock};
pub use spin::SpinPolicy;
pub use unfair::{UnfairGuard, UnfairLock};

use crate::availability::Availability;

/// How locks stand on this machine.
pub fn availability() -> Availability {
    Availability::full("lock", sys::HOW)
}

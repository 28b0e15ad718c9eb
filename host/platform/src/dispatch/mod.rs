//! Work in queues instead of on threads.
//!
//! A [`Queue`] runs jobs one after the other (serial) or side by side (concurrent), on threads
//! that all queues share: as many as there are processors, and more while some are blocked, up to
//! a bound. A [`QosClass`] says how urgent a queue's jobs are. A [`Group`] tells when many jobs
//! are done; a [`Semaphore`] bounds how many do something at a time.
//!
//! On macOS this is Grand Central Dispatch. On Linux it is a pool of this crate's, whose lanes
//! are weighted and whose less urgent threads have a lower priority.
//!
//! ```
//! use wrt_platform::dispatch::{Group, QosClass, Queue};
//!
//! # fn main() -> Result<(), wrt_platform::dispatch::DispatchError> {
//! let queue = Queue::create("com.example.work")
//!     .with_qos(QosClass::UserInitiated)
//!     .with_concurrent(true)
//!     .build()?;
//! let group = Group::new();
//! for number in 0..4 {
//!     group.exec_async(&queue, move || assert!(number < 4))?;
//! }
//! group.wait();
//! assert_eq!(queue.exec_sync(|| 6 * 7)?, 42);
//! # Ok(())
//! # }
//! ```
//!
//! A job that panics harms nothing but itself: the panic is counted ([`Queue::panics`]), or
//! returned to whoever waits for the job.

mod group;
mod job;
mod queue;
mod semaphore;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod sys;

pub use group::{Entry, Group};
pub use queue::{Queue, QueueBuilder};
pub use semaphore::Semaphore;

use crate::availability::Availability;
use std::io;
use thiserror::Error;

/// The most threads that the jobs of one priority get, whatever they wait for.
pub const THREADS_MAX: usize = sys::THREADS_MAX;

/// How urgent work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Nobody waits for it: caches are written, files tidied.
    Background,
    /// It takes long, and somebody looks now and then.
    Utility,
    /// Neither of the others.
    #[default]
    Default,
    /// Somebody asked for it and waits.
    UserInitiated,
    /// Somebody sees each of its delays.
    UserInteractive,
}

/// Why work was not done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// The caller runs on the queue that it would wait for.
    #[error("{0} would wait for itself: submit the work asynchronously, or do it right here")]
    Deadlock(String),
    /// The job panicked.
    #[error("the job panicked: {0}")]
    Panicked(String),
    /// A label is a C string.
    #[error("a queue's label must not contain a zero byte")]
    Label,
    /// Somebody left a group that nobody had entered.
    #[error("the group was left more often than it was entered")]
    Unbalanced,
    /// The operating system refused a thread, and there is none yet.
    #[error("start a thread: {0}")]
    System(io::Error),
}

impl From<io::Error> for DispatchError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How dispatch stands on this machine.
pub fn availability() -> Availability {
    Availability::full("dispatch", sys::how())
}

//! Dispatch by a pool of threads of this crate's.

mod apply;
mod group;
mod pool;
mod queue;
mod semaphore;
mod timer;

pub(super) use group::Group;
pub(super) use pool::THREADS_MAX;
pub(super) use queue::Queue;
pub(super) use semaphore::Semaphore;

use pool::blocking;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) fn how() -> String {
    format!(
        "a pool of {} threads for each of three priorities (nice 0; nice 5 and SCHED_BATCH; \
         nice 19 and SCHED_IDLE), up to {THREADS_MAX} while some are blocked",
        pool::width()
    )
}

/// Locks what is whole after any panic: no job runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits, for a time at most, while the state is as `unwanted` says; returns the state and
/// whether it is another.
fn wait_while<'a, T>(
    condvar: &Condvar,
    mut state: MutexGuard<'a, T>,
    limit: Option<Duration>,
    mut unwanted: impl FnMut(&T) -> bool,
) -> (MutexGuard<'a, T>, bool) {
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    while unwanted(&state) {
        state = match end.map(|end| end.saturating_duration_since(Instant::now())) {
            None => condvar.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(Duration::ZERO) => return (state, false),
            Some(left) => {
                condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
    (state, true)
}

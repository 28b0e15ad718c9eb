//! Semaphores by a counter.

use super::{blocking, lock, wait_while};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Semaphore {
    permits: Mutex<u64>,
    changed: Condvar,
}

impl Semaphore {
    pub(crate) fn new(permits: u32) -> Self {
        Self { permits: Mutex::new(permits.into()), changed: Condvar::new() }
    }

    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        if self.take(Some(Duration::ZERO)) {
            return true;
        }
        limit != Some(Duration::ZERO) && blocking(|| self.take(limit))
    }

    fn take(&self, limit: Option<Duration>) -> bool {
        let permits = lock(&self.permits);
        let (mut permits, any) = wait_while(&self.changed, permits, limit, |permits| *permits == 0);
        if any {
            *permits -= 1;
        }
        any
    }

    pub(crate) fn signal(&self) {
        *lock(&self.permits) += 1;
        self.changed.notify_one();
    }
}

//! A number of permits.

use super::sys;
use std::sync::Arc;
use std::time::Duration;

/// Permits that are taken and given back. A clone is the same semaphore.
#[derive(Clone, Debug)]
pub struct Semaphore(Arc<sys::Semaphore>);

impl Semaphore {
    /// A semaphore with so many permits.
    pub fn new(permits: u32) -> Self {
        Self(Arc::new(sys::Semaphore::new(permits)))
    }

    /// Takes a permit, as soon as there is one.
    pub fn wait(&self) {
        self.0.wait(None);
    }

    /// Takes a permit if there is one within this time; returns whether.
    #[must_use = "whether a permit was taken"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.0.wait(Some(limit))
    }

    /// Takes a permit if there is one now; returns whether.
    #[must_use = "whether a permit was taken"]
    pub fn try_wait(&self) -> bool {
        self.wait_timeout(Duration::ZERO)
    }

    /// Gives a permit back, or adds one.
    pub fn signal(&self) {
        self.0.signal();
    }
}

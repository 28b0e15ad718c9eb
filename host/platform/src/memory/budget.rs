//! Counts the pages of one allocator.

use super::AllocError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Pages that may be used, and those that are.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) maximum: usize,
    used: AtomicUsize,
}

/// Pages taken from a budget, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    pages: usize,
}

impl Budget {
    pub(super) fn new(maximum: usize) -> Arc<Self> {
        Arc::new(Self { maximum, used: AtomicUsize::new(0) })
    }

    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes pages, all or none.
    pub(super) fn take(self: &Arc<Self>, pages: usize) -> Result<Lease, AllocError> {
        // A counter that guards no other memory: relaxed is enough.
        let fits = |used: usize| used.checked_add(pages).filter(|sum| *sum <= self.maximum);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(_) => Ok(Lease { budget: Arc::clone(self), pages }),
            Err(used) => {
                let (maximum, left) = (self.maximum, self.maximum - used);
                Err(AllocError::Exhausted { pages, left, maximum })
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.pages, Ordering::Relaxed);
    }
}

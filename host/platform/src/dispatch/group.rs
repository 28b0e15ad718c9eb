//! Many jobs, one end.

use super::{DispatchError, Queue, sys};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Tells when as many have left it as have entered it. A clone is the same group.
#[derive(Clone, Debug, Default)]
pub struct Group(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    group: sys::Group,
    entered: AtomicUsize,
}

/// That somebody is in a group, who leaves it when this is dropped.
#[derive(Debug)]
#[must_use = "the group is left when this is dropped"]
pub struct Entry(Group);

impl Group {
    /// A group that nobody is in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters the group.
    pub fn enter(&self) {
        self.0.group.enter();
        self.0.entered.fetch_add(1, Ordering::Relaxed);
    }

    /// Leaves the group.
    ///
    /// # Errors
    ///
    /// `Unbalanced` when nobody is in it.
    pub fn leave(&self) -> Result<(), DispatchError> {
        let one_less = |entered: usize| entered.checked_sub(1);
        let entered = &self.0.entered;
        entered
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .map_err(|_| DispatchError::Unbalanced)?;
        self.0.group.leave();
        Ok(())
    }

    /// Enters the group until the value is dropped, be it by a panic.
    pub fn entry(&self) -> Entry {
        self.enter();
        Entry(self.clone())
    }

    /// Submits a job that is in the group until it is done.
    ///
    /// # Errors
    ///
    /// As [`Queue::exec_async`]; the job is not in the group then.
    pub fn exec_async(
        &self,
        queue: &Queue,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), DispatchError> {
        let entry = self.entry();
        queue.exec_async(move || {
            let _entry = entry;
            job();
        })
    }

    /// Waits until nobody is in the group.
    pub fn wait(&self) {
        self.0.group.wait(None);
    }

    /// Waits so long at most; returns whether nobody is in the group.
    #[must_use = "whether the time was enough"]
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        self.0.group.wait(Some(limit))
    }

    /// Submits a job when nobody is in the group: now, if that is so.
    ///
    /// # Errors
    ///
    /// As [`Queue::exec_async`], if it is now.
    pub fn notify(
        &self,
        queue: &Queue,
        job: impl FnOnce() + Send + 'static,
    ) -> Result<(), DispatchError> {
        self.0.group.notify(queue.system(), queue.contained(job, false)).map_err(Into::into)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if *self.entered.get_mut() != 0 {
            // Somebody entered and never left.
            self.group.abandon();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Entered by `entry`; whoever left in its place is wrong, and was told nothing of it.
        let _ = self.0.leave();
    }
}

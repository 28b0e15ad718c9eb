//! What surrounds each job: where it runs, and what its panic does.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A job that does not unwind.
pub(super) type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The queues whose jobs this thread is in, outermost first.
    static INSIDE: RefCell<Vec<Place>> = const { RefCell::new(Vec::new()) };
}

/// That a thread is in a queue's job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) queue: u64,
    /// No other job of the queue runs meanwhile.
    pub(super) alone: bool,
}

/// Where this thread is in the queue, if it is.
pub(super) fn inside(queue: u64) -> Option<Place> {
    INSIDE.with_borrow(|places| places.iter().rev().find(|place| place.queue == queue).copied())
}

/// Runs a job in its place. A panic is returned as its message.
pub(super) fn run<R>(place: Place, job: impl FnOnce() -> R) -> Result<R, String> {
    INSIDE.with_borrow_mut(|places| places.push(place));
    // What the job leaves half-done is its own: nobody here looks at it.
    let result = catch_unwind(AssertUnwindSafe(job));
    INSIDE.with_borrow_mut(Vec::pop);
    result.map_err(|panic| message(&*panic))
}

/// As [`run`], and the panic is counted.
pub(super) fn contain(place: Place, panics: &AtomicU64, job: impl FnOnce()) {
    if run(place, job).is_err() {
        panics.fetch_add(1, Ordering::Relaxed);
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").into()
}

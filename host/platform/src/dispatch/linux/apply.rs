//! One job for many numbers, by the caller and by helpers.

use super::{Queue, blocking, lock, pool, wait_while};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// What the caller and its helpers share. Helpers may outlive the call, when all numbers are
/// taken: they do not touch the job then.
struct Work {
    /// Does not unwind.
    job: *const (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    done: Mutex<usize>,
    changed: Condvar,
}

// SAFETY: the job is `Sync`, and is reached only as `run` explains.
unsafe impl Send for Work {}
// SAFETY: as above.
unsafe impl Sync for Work {}

impl Work {
    /// Runs the job for numbers that nobody took yet.
    fn run(&self) {
        let mut ran = 0;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.count {
                break;
            }
            // SAFETY: a number was taken and is not done, and `apply`, which borrows the job,
            // returns only when all that were taken are.
            unsafe { (*self.job)(number) };
            ran += 1;
        }
        if ran > 0 {
            *lock(&self.done) += ran;
            self.changed.notify_one();
        }
    }
}

pub(super) fn apply(queue: &Queue, count: usize, inside: bool, job: &(dyn Fn(usize) + Sync)) {
    if queue.is_serial() {
        return queue.run(&mut || (0..count).for_each(job), false);
    }
    // SAFETY: only the lifetime changes; `Work::run` says why nobody minds.
    let job: *const (dyn Fn(usize) + Sync + 'static) = unsafe { std::mem::transmute(job) };
    let work = Arc::new(Work {
        job,
        count,
        next: AtomicUsize::new(0),
        done: Mutex::default(),
        changed: Condvar::new(),
    });
    for _ in 1..count.min(pool::width()) {
        let work = Arc::clone(&work);
        // Without helpers it takes longer.
        let _ = queue.submit(Box::new(move || work.run()), false);
    }
    if inside {
        work.run();
    } else {
        queue.run(&mut || work.run(), false);
    }
    let done = lock(&work.done);
    if *done < count {
        drop(done);
        let unfinished = |done: &usize| *done < count;
        blocking(|| wait_while(&work.changed, lock(&work.done), None, unfinished).1);
    }
}

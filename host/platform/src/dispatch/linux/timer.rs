//! The thread that submits jobs later, and looks after work that is left lying.

use super::{Queue, lock, pool};
use crate::dispatch::job::Job;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::Builder;
use std::time::{Duration, Instant};

/// How often work that is left lying is looked at.
const LOOK: Duration = Duration::from_millis(20);

static TIMER: Mutex<Timer> =
    Mutex::new(Timer { started: false, watching: false, number: 0, jobs: BinaryHeap::new() });
static CHANGED: Condvar = Condvar::new();

struct Timer {
    started: bool,
    /// Whether work may be left lying.
    watching: bool,
    number: u64,
    jobs: BinaryHeap<Reverse<Later>>,
}

struct Later {
    due: Instant,
    number: u64,
    queue: Queue,
    job: Job,
}

impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Later {}

/// Submits a job after a time; what is due at the same time keeps its order.
pub(super) fn after(delay: Duration, queue: Queue, job: Job) -> io::Result<()> {
    let Some(due) = Instant::now().checked_add(delay) else {
        // Never.
        return Ok(());
    };
    let mut timer = lock(&TIMER);
    timer.start()?;
    let number = timer.number;
    timer.number += 1;
    timer.jobs.push(Reverse(Later { due, number, queue, job }));
    CHANGED.notify_one();
    Ok(())
}

/// Looks after work that is left lying, until there is none. Best effort.
pub(super) fn watch() {
    let mut timer = lock(&TIMER);
    if !timer.watching && timer.start().is_ok() {
        timer.watching = true;
        CHANGED.notify_one();
    }
}

impl Timer {
    fn start(&mut self) -> io::Result<()> {
        if !self.started {
            Builder::new().name("dispatch timer".into()).spawn(run)?;
            self.started = true;
        }
        Ok(())
    }
}

fn run() {
    let mut timer = lock(&TIMER);
    let mut look = Instant::now();
    loop {
        let now = Instant::now();
        if timer.jobs.peek().is_some_and(|Reverse(later)| later.due <= now) {
            let due = timer.jobs.pop();
            drop(timer);
            if let Some(Reverse(Later { queue, job, .. })) = due {
                // There is nobody to tell.
                let _ = queue.submit(job, false);
            }
            timer = lock(&TIMER);
            continue;
        }
        if timer.watching && look <= now {
            // Before looking, so that work which is left meanwhile is seen.
            timer.watching = false;
            drop(timer);
            let more = pool::relieve();
            timer = lock(&TIMER);
            timer.watching |= more;
            look = Instant::now() + LOOK;
            continue;
        }
        let due = timer.jobs.peek().map(|Reverse(later)| later.due);
        let next = due.into_iter().chain(timer.watching.then_some(look)).min();
        timer = match next.map(|next| next.saturating_duration_since(now)) {
            None => CHANGED.wait(timer).unwrap_or_else(PoisonError::into_inner),
            Some(left) => {
                CHANGED.wait_timeout(timer, left).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

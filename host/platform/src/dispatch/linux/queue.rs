//! Queues over the pool: a serial queue is one whose every job is a barrier.

use super::{blocking, lock, pool, timer, wait_while};
use crate::dispatch::QosClass;
use crate::dispatch::job::Job;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How many jobs of a queue a thread runs before other queues have their turn.
const BATCH: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    qos: QosClass,
    kind: Kind,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Serial,
    Concurrent,
    /// Nothing ever waits for its turn.
    Global,
}

#[derive(Default)]
struct State {
    /// Those whose turn is not yet, in their order.
    waiting: VecDeque<Item>,
    /// Jobs that run beside others.
    shared: usize,
    /// Whether a job runs alone.
    alone: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

struct Item {
    what: What,
    alone: bool,
}

enum What {
    Job(Job),
    /// A caller that waits to run its job itself.
    Caller(Arc<Turn>),
}

#[derive(Default)]
struct Turn {
    come: Mutex<bool>,
    changed: Condvar,
}

impl State {
    /// Begins a job, if it can run beside those that run.
    fn begin(&mut self, alone: bool) -> bool {
        let can = !self.alone && (!alone || self.shared == 0);
        if can && alone {
            self.alone = true;
        } else if can {
            self.shared += 1;
        }
        can
    }

    fn end(&mut self, alone: bool) {
        if alone {
            self.alone = false;
        } else {
            self.shared -= 1;
        }
    }
}

impl Queue {
    pub(crate) fn new(_label: &str, qos: QosClass, concurrent: bool) -> Self {
        Self::of_kind(qos, if concurrent { Kind::Concurrent } else { Kind::Serial })
    }

    pub(crate) fn global(qos: QosClass) -> Self {
        Self::of_kind(qos, Kind::Global)
    }

    fn of_kind(qos: QosClass, kind: Kind) -> Self {
        Self(Arc::new(Inner { qos, kind, state: Mutex::default() }))
    }

    pub(super) fn is_serial(&self) -> bool {
        self.0.kind == Kind::Serial
    }

    fn alone(&self, barrier: bool) -> bool {
        barrier || self.is_serial()
    }

    pub(crate) fn submit(&self, job: Job, barrier: bool) -> io::Result<()> {
        if self.0.kind == Kind::Global {
            return pool::submit(self.0.qos, job).map_err(|(error, _)| error);
        }
        let alone = self.alone(barrier);
        {
            let mut state = lock(&self.0.state);
            if !state.waiting.is_empty() || !state.begin(alone) {
                state.waiting.push_back(Item { what: What::Job(job), alone });
                return Ok(());
            }
        }
        let refused = self.send(job, alone);
        refused.map_err(|(error, job)| {
            drop(job);
            self.advance(alone);
            error
        })
    }

    /// Has the pool run a job that has begun.
    fn send(&self, job: Job, alone: bool) -> Result<(), (io::Error, Job)> {
        let (queue, job) = (self.clone(), Arc::new(Mutex::new(Some(job))));
        let kept = Arc::clone(&job);
        let work = Box::new(move || {
            if let Some(job) = lock(&job).take() {
                queue.work(job, alone);
            }
        });
        pool::submit(self.0.qos, work)
            .map_err(|(error, _)| (error, lock(&kept).take().unwrap_or_else(|| Box::new(|| ()))))
    }

    /// Runs a job that has begun, and those that can begin after it.
    fn work(&self, job: Job, alone: bool) {
        let mut next = Some((job, alone));
        for _ in 0..BATCH {
            let Some((job, alone)) = next else { return };
            job();
            next = self.finish(alone);
        }
        if let Some((job, alone)) = next
            && let Err((_, job)) = self.send(job, alone)
        {
            // There is no other thread, so that it is this one's.
            self.work(job, alone);
        }
    }

    /// Ends a job and begins those whose turn it is now: the first is returned, the pool gets
    /// the others.
    fn finish(&self, alone: bool) -> Option<(Job, bool)> {
        let mut begun = Vec::new();
        {
            let mut state = lock(&self.0.state);
            state.end(alone);
            while let Some(item) = state.waiting.pop_front() {
                if !state.begin(item.alone) {
                    state.waiting.push_front(item);
                    break;
                }
                match item.what {
                    What::Job(job) => begun.push((job, item.alone)),
                    What::Caller(turn) => {
                        *lock(&turn.come) = true;
                        turn.changed.notify_one();
                    }
                }
            }
        }
        let mut begun = begun.into_iter();
        let first = begun.next();
        for (job, alone) in begun {
            if let Err((_, job)) = self.send(job, alone) {
                self.work(job, alone);
            }
        }
        first
    }

    /// As [`Self::finish`]; the pool gets the first, too.
    fn advance(&self, alone: bool) {
        if let Some((job, alone)) = self.finish(alone)
            && let Err((_, job)) = self.send(job, alone)
        {
            self.work(job, alone);
        }
    }

    pub(crate) fn run(&self, job: &mut (dyn FnMut() + Send), barrier: bool) {
        if self.0.kind == Kind::Global {
            return job();
        }
        let alone = self.alone(barrier);
        let mut state = lock(&self.0.state);
        if !state.waiting.is_empty() || !state.begin(alone) {
            let turn = Arc::<Turn>::default();
            state.waiting.push_back(Item { what: What::Caller(Arc::clone(&turn)), alone });
            drop(state);
            blocking(|| wait_while(&turn.changed, lock(&turn.come), None, |come| !come).1);
        } else {
            drop(state);
        }
        job();
        self.advance(alone);
    }

    pub(crate) fn after(&self, delay: Duration, job: Job) -> io::Result<()> {
        timer::after(delay, self.clone(), job)
    }

    /// The caller is `inside` a job of this queue, or is not.
    pub(crate) fn apply(&self, count: usize, inside: bool, job: &(dyn Fn(usize) + Sync)) {
        super::apply::apply(self, count, inside, job);
    }
}

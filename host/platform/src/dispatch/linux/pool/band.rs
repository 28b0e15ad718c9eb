//! Threads of one priority, and the jobs that they run.

use super::super::{lock, timer};
use super::{Job, Priority, THREADS_MAX, WEIGHTS, thread, width};
use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For how long a thread waits for a job before it ends.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(in super::super) struct Band {
    priority: Priority,
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    lanes: [VecDeque<Job>; WEIGHTS.len()],
    /// How many more jobs a lane may begin before the others have had their turn.
    credit: [u32; WEIGHTS.len()],
    /// All threads of the band.
    threads: usize,
    /// Those that wait for a job, and how many of them were told to look for one.
    idle: usize,
    told: usize,
    /// Those that said that they wait for something in a job.
    blocked: usize,
    /// Those that were found asleep in a job.
    asleep: usize,
    /// The threads that are in a job, by their number in the system.
    busy: Vec<i32>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Band {
    pub(super) const fn new(priority: Priority) -> Self {
        let state = State {
            lanes: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
            credit: WEIGHTS,
            threads: 0,
            idle: 0,
            told: 0,
            blocked: 0,
            asleep: 0,
            busy: Vec::new(),
        };
        Self { priority, state: Mutex::new(state), work: Condvar::new() }
    }

    pub(super) fn submit(&'static self, lane: usize, job: Job) -> Result<(), (io::Error, Job)> {
        let mut state = lock(&self.state);
        state.lanes[lane].push_back(job);
        match self.provide(&mut state) {
            Err(error) if state.threads == 0 => match state.lanes[lane].pop_back() {
                Some(job) => Err((error, job)),
                // Under the lock nobody took it.
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Sees to it that somebody looks for the job that was just added, or lets it lie.
    fn provide(&'static self, state: &mut State) -> io::Result<()> {
        if state.idle > state.told {
            state.told += 1;
            self.work.notify_one();
            return Ok(());
        }
        if state.running() >= width() || state.threads >= THREADS_MAX {
            timer::watch();
            return Ok(());
        }
        state.threads += 1;
        let started = thread::start(self, self.priority);
        if started.is_err() {
            state.threads -= 1;
        }
        started
    }

    /// What a thread of the band does.
    pub(super) fn work(&'static self) {
        let me = rustix::thread::gettid().as_raw_nonzero().get();
        let mut state = lock(&self.state);
        // One too many ends: those that were blocked go on in its place.
        while state.running() <= width() {
            let Some(job) = state.next() else {
                match self.wait(state) {
                    (back, true) => state = back,
                    (back, false) => {
                        state = back;
                        break;
                    }
                }
                continue;
            };
            state.busy.push(me);
            drop(state);
            job();
            state = lock(&self.state);
            state.busy.retain(|thread| *thread != me);
        }
        state.threads -= 1;
        // Whoever is too many leaves the work to those that are not.
        if state.has_work() {
            let _ = self.provide(&mut state);
        }
    }

    /// Waits for a job; says whether there may be one.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        state.idle += 1;
        let waited = self.work.wait_timeout(state, PATIENCE);
        let (mut state, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        let told = state.told > 0;
        state.told = state.told.saturating_sub(1);
        (state, told || !waited.timed_out())
    }

    /// A thread in a job begins to wait for something.
    pub(super) fn blocks(&'static self) {
        let mut state = lock(&self.state);
        state.blocked += 1;
        if state.has_work() {
            // Without another thread it waits for the work before it.
            let _ = self.provide(&mut state);
        }
    }

    pub(super) fn unblocks(&self) {
        lock(&self.state).blocked -= 1;
    }

    /// Counts the threads that are asleep, if work is left lying, and replaces them.
    pub(super) fn relieve(&'static self) -> bool {
        let busy = {
            let mut state = lock(&self.state);
            if !state.has_work() {
                state.asleep = 0;
                return false;
            }
            state.busy.clone()
        };
        // Without the lock: it reads files.
        let asleep = busy.into_iter().filter(|thread| thread::is_asleep(*thread)).count();
        let mut state = lock(&self.state);
        state.asleep = asleep.saturating_sub(state.blocked);
        for _ in 0..state.asleep {
            if state.running() < width() && state.has_work() {
                let _ = self.provide(&mut state);
            }
        }
        state.has_work()
    }

    #[cfg(test)]
    pub(super) fn threads(&self) -> usize {
        lock(&self.state).threads
    }
}

impl State {
    /// Threads that want a processor.
    fn running(&self) -> usize {
        self.threads.saturating_sub(self.blocked + self.asleep)
    }

    fn has_work(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_empty())
    }

    /// The next job: each lane begins as many as its weight before a less urgent one does.
    fn next(&mut self) -> Option<Job> {
        for _ in 0..2 {
            for (lane, credit) in self.lanes.iter_mut().zip(&mut self.credit) {
                if *credit > 0
                    && let Some(job) = lane.pop_front()
                {
                    *credit -= 1;
                    return Some(job);
                }
            }
            self.credit = WEIGHTS;
        }
        None
    }
}

//! Groups by a counter.

use super::{Queue, blocking, lock, wait_while};
use crate::dispatch::job::Job;
use std::io;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Group {
    state: Mutex<State>,
    empty: Condvar,
}

#[derive(Default)]
struct State {
    inside: usize,
    notices: Vec<(Queue, Job)>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("inside", &self.inside).finish_non_exhaustive()
    }
}

impl Group {
    pub(crate) fn enter(&self) {
        lock(&self.state).inside += 1;
    }

    /// Somebody has entered.
    pub(crate) fn leave(&self) {
        let notices = {
            let mut state = lock(&self.state);
            state.inside -= 1;
            if state.inside > 0 {
                return;
            }
            self.empty.notify_all();
            std::mem::take(&mut state.notices)
        };
        for (queue, job) in notices {
            // There is nobody to tell, should the system have no thread at all.
            let _ = queue.submit(job, false);
        }
    }

    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        let state = lock(&self.state);
        if state.inside == 0 {
            return true;
        }
        drop(state);
        blocking(|| wait_while(&self.empty, lock(&self.state), limit, |state| state.inside > 0).1)
    }

    pub(crate) fn notify(&self, queue: &Queue, job: Job) -> io::Result<()> {
        let mut state = lock(&self.state);
        if state.inside > 0 {
            state.notices.push((queue.clone(), job));
            return Ok(());
        }
        drop(state);
        queue.submit(job, false)
    }

    /// Nothing: on macOS there is something to do.
    pub(crate) fn abandon(&self) {}
}

//! Programs that run behind the caller's back, several at a time.
//!
//! The caller waits for a permit, then the program goes to a concurrent queue of the system. A job
//! prepares, compiles and runs its program on one thread, and settles its [`Ticket`]. One that the
//! system does not give back from a call is settled in its stead when its time is over: the others,
//! and the caller, do not wait for it.

use super::program::Program;
use super::report::Report;
use super::{Engine, Mode, Shared, Turn};
use crate::error::{Error, Interruption};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wrt_platform::dispatch::{Entry, QosClass, Queue};
use wrt_platform::pressure::PressureLevel;

/// How much later than its time limit a job is settled that a host call holds up.
const GRACE: Duration = Duration::from_secs(2);

type Done = Box<dyn FnOnce(Report) + Send>;

/// What a job holds while it is not settled: its turn, and its place in the group.
struct Ticket {
    shared: Arc<Shared>,
    /// None when it is settled.
    open: Mutex<Option<(Turn, Entry, Done)>>,
}

impl Ticket {
    /// Settles the job with what `report` says, unless that was done: `report` is not asked then.
    fn settle(&self, report: impl FnOnce() -> Report) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((turn, entry, done)) = open else { return };
        done(report());
        drop(turn);
        // Last: who waits for the group looks at what was done.
        drop(entry);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The job was not run, or panicked.
        self.settle(|| Report::failed(Error::Failed("it could not be run to its end".to_owned())));
    }
}

impl Engine {
    /// Runs a program on a thread of the system's, and does `done` with what came of it; once, on
    /// whatever thread, also when the program could not be run. Waits until fewer than
    /// [`parallel`](super::EngineBuilder::parallel) programs run, and as the memory pressure wants
    /// it; not for the program. `more` programs are still to come: no more VMs are made ahead than
    /// they need.
    ///
    /// A program that is still not back two seconds after its time limit, since a call of the host
    /// hangs, is given up: its thread is lost.
    pub fn submit(
        &self,
        program: Program,
        more: usize,
        done: impl FnOnce(Report) + Send + 'static,
    ) {
        let shared = &self.shared;
        let turn = match Turn::take(shared) {
            Ok(turn) => turn,
            Err(error) => return done(Report::failed(error)),
        };
        let level = turn.level;
        if let Some(pool) = shared.pool() {
            match level.unwrap_or_default() {
                // Not more than there are programs to come, this one included.
                PressureLevel::Normal => pool.keep(shared.vms_ahead().min(more.saturating_add(1))),
                // None is begun that would be given up at once.
                short => shared.relieve(short),
            }
        }
        let open = Mutex::new(Some((turn, shared.group.entry(), Box::new(done) as Done)));
        let ticket = Arc::new(Ticket { shared: Arc::clone(shared), open });
        let job = Arc::clone(&ticket);
        let queue = Queue::global(program.qos);
        let submitted = queue.exec_async(move || run(program, &job, level));
        if let Err(error) = submitted {
            ticket.settle(|| Report::failed(Error::Thread(io::Error::other(error))));
        }
    }

    /// Waits until all programs that were submitted are done, and what was compiled for them is in
    /// the cache.
    pub fn wait(&self) {
        self.shared.group.wait();
        self.shared.writes.wait();
    }
}

/// One program, on its thread.
fn run(program: Program, ticket: &Arc<Ticket>, level: Option<PressureLevel>) {
    end_by_force(&program, ticket);
    let report = ticket.shared.run(program, level, Mode::OneOfMany);
    ticket.settle(|| report);
}

/// Settles the job some time after its time limit, should a host call hang.
fn end_by_force(program: &Program, ticket: &Arc<Ticket>) {
    let Some(time) = program.limits.time else { return };
    let ticket = Arc::downgrade(ticket);
    let overdue = move || {
        if let Some(ticket) = ticket.upgrade() {
            let timed_out = Error::Interrupted(Interruption::TimedOut);
            ticket.settle(|| Report::failed(timed_out));
        }
    };
    // Should there be no thread for it, the VM's own deadline still holds.
    let _ = Queue::global(QosClass::UserInitiated).after(time.saturating_add(GRACE), overdue);
}

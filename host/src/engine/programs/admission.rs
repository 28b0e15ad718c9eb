//! Whether there is memory for one more VM.

use crate::error::Error;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wrt_platform::pressure::PressureLevel;
/// How often the level is looked at while a job waits and nothing tells that it changed.
const INTERVAL: Duration = Duration::from_millis(500);

/// What becomes of a job that wants to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Begin,
    Wait,
    Refuse,
}

/// At `critical` nothing begins, and what runs may end and give its memory back; before that, one
/// job at a time makes progress.
fn judge(level: PressureLevel, running: usize) -> Verdict {
    match (level, running) {
        (PressureLevel::Normal, _) | (PressureLevel::Warning | PressureLevel::Urgent, 0) => {
            Verdict::Begin
        }
        (PressureLevel::Critical, 0) => Verdict::Refuse,
        _ => Verdict::Wait,
    }
}

/// Lets jobs in one by one, as the memory pressure allows.
pub(super) struct Gate {
    level: Box<dyn Fn() -> PressureLevel + Send + Sync>,
    /// How many jobs run.
    running: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    /// A gate that goes by what `level` says.
    pub(super) fn new(level: impl Fn() -> PressureLevel + Send + Sync + 'static) -> Self {
        Self { level: Box::new(level), running: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits until another job may begin; it counts as running from then on. Returns the level
    /// with which it was let in.
    ///
    /// # Errors
    ///
    /// When the level is critical and nothing runs that could make it fall.
    pub(super) fn enter(&self) -> Result<PressureLevel, Error> {
        let mut running = self.running();
        // Ends with the jobs that run: when none does, a job begins or is refused.
        loop {
            let level = (self.level)();
            match judge(level, *running) {
                Verdict::Begin => {
                    *running += 1;
                    return Ok(level);
                }
                Verdict::Refuse => return Err(Error::Pressure),
                Verdict::Wait => {
                    tracing::info!("memory pressure is {level}: the next program waits");
                    let waited = self.changed.wait_timeout(running, INTERVAL);
                    running = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    /// A job is done.
    pub(super) fn leave(&self) {
        *self.running() -= 1;
        self.changed.notify_all();
    }

    /// The level has changed: who waits looks again.
    pub(super) fn look_again(&self) {
        // After whoever is between a look and the wait for the next.
        drop(self.running());
        self.changed.notify_all();
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PressureLevel::{Critical, Normal, Urgent, Warning};
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    #[test]
    fn the_less_memory_the_fewer_begin() {
        for (level, none, one) in [
            (Normal, Verdict::Begin, Verdict::Begin),
            (Warning, Verdict::Begin, Verdict::Wait),
            (Urgent, Verdict::Begin, Verdict::Wait),
            (Critical, Verdict::Refuse, Verdict::Wait),
        ] {
            assert_eq!((judge(level, 0), judge(level, 1)), (none, one), "{level}");
        }
    }

    /// A gate whose level the test sets.
    fn gate(level: PressureLevel) -> (Arc<Gate>, Arc<Mutex<PressureLevel>>) {
        let level = Arc::new(Mutex::new(level));
        let source = Arc::clone(&level);
        (Arc::new(Gate::new(move || *source.lock().expect("not poisoned"))), level)
    }

    #[test]
    fn a_waiting_job_begins_when_another_ends_or_the_level_falls() {
        for falls in [false, true] {
            let (gate, level) = gate(Warning);
            assert_eq!(gate.enter().expect("the first one begins"), Warning);
            let (tell, told) = channel();
            let waiter = std::thread::spawn({
                let gate = Arc::clone(&gate);
                move || tell.send(gate.enter().expect("it is let in")).expect("somebody listens")
            });
            assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "it waits");
            match falls {
                true => {
                    *level.lock().expect("not poisoned") = Normal;
                    gate.look_again();
                }
                false => gate.leave(),
            }
            let let_in = told.recv_timeout(Duration::from_secs(10)).expect("it is let in");
            assert_eq!(let_in, if falls { Normal } else { Warning });
            waiter.join().expect("no panic");
        }
    }

    #[test]
    fn critical_waits_for_what_runs_and_refuses_when_nothing_does() {
        let (gate, level) = gate(Normal);
        gate.enter().expect("there is enough");
        *level.lock().expect("not poisoned") = Critical;
        let waiter = std::thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.enter()
        });
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waiter.is_finished(), "something runs that may give memory back");
        gate.leave();
        let refused = waiter.join().expect("no panic").expect_err("nothing runs any more");
        assert!(matches!(refused, Error::Pressure), "{refused}");
    }
}

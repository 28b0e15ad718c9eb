//! A guest of this process, on its caller's thread or on one of its own.
//!
//! Some backends tie a VM to the thread that made it, while a micro-VM may move between threads. So
//! its machine has a thread then, which does what is to be done with it, while the caller waits.

use super::order::{Done, Guest, Order, Whereabouts};
use crate::error::{Error, VmEnd};
use crate::machine::{self, CancelState, MachineConfig, MemoryRefused, Prepared, Running, Usage};
use crate::services::Services;
use crate::world::World;
use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use wrt_hypervisor::{Gva, Hypervisor};

/// A machine whose guest has our services.
type Machine = machine::Machine<Services>;

/// A guest of this process.
pub(crate) struct Local {
    /// Taken to be dropped by its thread.
    machine: Option<Box<Machine>>,
    thread: Option<OwnThread>,
}

impl Local {
    /// As [`Machine::new`].
    pub(crate) fn new(
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        services: Services,
        from: Option<Arc<Prepared>>,
    ) -> Result<Self, Error> {
        let thread = hypervisor.binds_threads().then(OwnThread::start);
        let thread = thread.transpose().map_err(Error::Thread)?;
        let make = || Machine::new(hypervisor, config, services, from).map(Box::new);
        let made = match &thread {
            Some(thread) => thread.run(make),
            None => make(),
        };
        Ok(Self { machine: Some(made?), thread })
    }

    fn machine(&self) -> &Machine {
        self.machine.as_deref().expect(UNTIL_DROP)
    }

    fn machine_mut(&mut self) -> &mut Machine {
        self.machine.as_deref_mut().expect(UNTIL_DROP)
    }
}

const UNTIL_DROP: &str = "the machine is there until this is dropped";

impl Guest for Local {
    fn obey<'g>(&'g mut self, order: Order<'_>) -> Result<Done<'g>, Error> {
        let machine = self.machine.as_deref_mut().expect(UNTIL_DROP);
        match (&self.thread, &order) {
            // The memory is any thread's.
            (None, _) | (_, Order::Read { .. } | Order::Write { .. }) => obey(machine, order),
            (Some(thread), _) => thread.run(|| obey(machine, order)),
        }
    }

    fn begin(&mut self) -> Result<Running, Error> {
        self.machine_mut().begin()
    }

    fn end(&mut self, call: Running) {
        self.machine_mut().end(call);
    }

    fn canceller(&self) -> &Arc<CancelState> {
        self.machine().cancel_state()
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.machine_mut().set_deadline(deadline);
    }

    fn usage(&self) -> Usage {
        self.machine().usage()
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        let machine = self.machine();
        Whereabouts {
            boundary: machine.boundary(),
            worker: None,
            child: machine.child(),
            jail: None,
        }
    }

    fn expect_much(&mut self) -> bool {
        self.machine_mut().expect_much()
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let machine = self.machine.take();
        if let Some(thread) = &self.thread {
            thread.run(|| drop(machine));
        }
    }
}

/// Has a machine obey.
fn obey<'g>(machine: &'g mut Machine, order: Order<'_>) -> Result<Done<'g>, Error> {
    Ok(match order {
        Order::Command { command, words, payload } => {
            Done::Answer(machine.command(command, &words, &payload)?)
        }
        Order::Share { bytes, content } => Done::Shared(machine.share(&bytes, content)?),
        Order::Unshare { address } => {
            machine.unshare(address)?;
            Done::Nothing
        }
        Order::Read { address, len } => Done::Read(Cow::Borrowed(memory(machine, address, len)?)),
        Order::Write { address, bytes } => {
            memory(machine, address, bytes.len())?.copy_from_slice(&bytes);
            Done::Nothing
        }
        Order::Keep { .. } => Done::Kept(Some(machine.prepare()?)),
        Order::Reset { world } => reset(machine, None, world)?,
        Order::Restore { from, world } => reset(machine, Some(from.here()?), world)?,
    })
}

/// Bytes of the guest's.
///
/// # Errors
///
/// When it does not have them, though it said so.
fn memory(machine: &mut Machine, address: u64, len: usize) -> Result<&mut [u8], Error> {
    let there = |error: MemoryRefused| VmEnd::Protocol(error.to_string()).into();
    machine.memory().slice(Gva(address), len as u64).map_err(there)
}

/// Resets a machine, for the next program, with a world of its own.
fn reset(
    machine: &mut Machine,
    from: Option<Arc<Prepared>>,
    world: World,
) -> Result<Done<'static>, Error> {
    machine.reset(from)?;
    machine.services().renew(world);
    Ok(Done::Nothing)
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread that does one job after another.
struct OwnThread {
    /// Taken to end the thread.
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl OwnThread {
    fn start() -> std::io::Result<Self> {
        let (jobs, received) = channel::<Job>();
        let builder = std::thread::Builder::new().name("wrt-vm guest".to_owned());
        let thread = builder.spawn(move || received.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Does a job there, and waits for its result. A panic of the job's is the caller's.
    fn run<'a, T: Send + 'a>(&self, job: impl FnOnce() -> T + Send + 'a) -> T {
        let (done, result) = channel();
        let job: Box<dyn FnOnce() + Send + 'a> = Box::new(move || {
            // The other end waits for it.
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        });
        // SAFETY: only the lifetime changes. This function returns when the job has sent its result,
        // by when it is consumed with all that it borrows, or when it was dropped.
        let job: Job = unsafe { std::mem::transmute::<Box<dyn FnOnce() + Send + 'a>, Job>(job) };
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let done = sent.and_then(Result::ok).and_then(|()| result.recv().ok());
        done.expect("the thread lives as long as this").unwrap_or_else(|panic| resume_unwind(panic))
    }
}

impl Drop for OwnThread {
    /// Ends the thread, and waits for that: whatever it held is given back.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_done_in_turn_on_one_thread() {
        let thread = OwnThread::start().unwrap();
        let first = thread.run(|| std::thread::current().id());
        assert_ne!(first, std::thread::current().id());
        assert_eq!(thread.run(|| std::thread::current().id()), first);
    }

    #[test]
    fn a_job_may_change_what_its_caller_has() {
        let thread = OwnThread::start().unwrap();
        let mut words = vec![1];
        thread.run(|| words.push(2));
        assert_eq!(words, [1, 2]);
    }

    #[test]
    fn a_panic_is_the_callers_and_the_thread_goes_on() {
        let thread = OwnThread::start().unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| thread.run(|| panic!("a test's"))));
        assert!(caught.is_err());
        assert_eq!(thread.run(|| 42), 42);
    }
}

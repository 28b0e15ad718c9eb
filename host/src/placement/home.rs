//! Where a machine works: on its caller's thread, on one of its own, or in a worker process.
//!
//! Some backends tie a VM to the thread that made it, while a micro-VM may move between
//! threads. So its machine has a thread then, travels there with each piece of work, and comes
//! back with the result. The caller waits: at any time there is one thread that has it.

use super::worker::{Remote, Workers};
use crate::error::{Error, VmEnd};
use crate::machine::{
    self, Answer, CancelState, Content, MachineConfig, MemoryRefused, Prepared, Usage,
};
use crate::services::Services;
use crate::services::log::Forward;
use crate::services::wasi::Wasi;
use crate::world::WasiConfig;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;
use wrt_abi::Command;
use wrt_hypervisor::{Gva, Hypervisor};
use wrt_platform::memory::SharedBytes;

/// A machine whose guest has our services.
type Machine = machine::Machine<Services>;

/// A machine, and where it works.
pub(crate) enum Home {
    /// In this process.
    Here(Here),
    /// In another.
    Worker(Box<Remote>),
}

/// A guest that was kept for others to go on from, where its machine was.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// In this process.
    Here(Arc<Prepared>),
    /// In the worker that keeps one under this number.
    Worker(u64),
}

/// A machine of this process.
pub(crate) struct Here {
    /// Away while it works on its thread, which nobody sees.
    machine: Option<Box<Machine>>,
    thread: Option<OwnThread>,
}

impl Home {
    /// Makes a machine with services of a world. `forward` takes what is logged in this process,
    /// unless it is to go to this process's own log. The guest goes on `from` another one, if that
    /// is given. `deadline` is as [`Self::set_deadline`]; a worker has to be there by then, too.
    ///
    /// # Errors
    ///
    /// As [`Machine::new`]; and when a world or a worker cannot be had, or has no such guest.
    pub(crate) fn new(
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        world: &WasiConfig,
        forward: Option<Forward>,
        from: Option<&Kept>,
        deadline: Option<Instant>,
    ) -> Result<Self, Error> {
        Ok(match Workers::of(hypervisor) {
            Some(workers) => {
                if from.is_some() {
                    return Err(elsewhere());
                }
                Self::Worker(Box::new(Remote::new(workers, hypervisor, config, world, deadline)?))
            }
            None => {
                let from = from.map(Kept::here).transpose()?;
                let services = Services::new(Wasi::new(world)?, forward);
                let mut here = Here::new(hypervisor, config, services, from)?;
                here.here_mut().set_deadline(deadline);
                Self::Here(here)
            }
        })
    }

    /// As [`Machine::command`].
    pub(crate) fn command(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        match self {
            Self::Here(here) => here.command(command, words, payload),
            Self::Worker(worker) => worker.command(command, words, payload),
        }
    }

    /// As [`Machine::reset`], to a world.
    pub(crate) fn reset(&mut self, world: &WasiConfig) -> Result<(), Error> {
        match self {
            Self::Here(here) => {
                let world = Wasi::new(world)?;
                here.work(move |machine| reset(machine, world, None))
            }
            Self::Worker(worker) => worker.reset(world),
        }
    }

    /// As [`Machine::prepare`].
    pub(crate) fn prepare(&mut self) -> Result<Kept, Error> {
        Ok(match self {
            Self::Here(here) => Kept::Here(here.work(Machine::prepare)?),
            Self::Worker(worker) => Kept::Worker(worker.prepare()?),
        })
    }

    /// As [`Machine::reset`], to a world and a guest that was kept.
    pub(crate) fn restore(&mut self, world: &WasiConfig, from: &Kept) -> Result<(), Error> {
        match (self, from) {
            (Self::Here(here), from) => {
                let (world, from) = (Wasi::new(world)?, from.here()?);
                here.work(move |machine| reset(machine, world, Some(from)))
            }
            (Self::Worker(worker), Kept::Worker(number)) => worker.restore(world, *number),
            (Self::Worker(_), Kept::Here(_)) => Err(elsewhere()),
        }
    }

    /// As [`Machine::share`].
    pub(crate) fn share(
        &mut self,
        bytes: &Arc<SharedBytes>,
        content: Content,
    ) -> Result<u64, Error> {
        match self {
            Self::Here(here) => {
                let bytes = Arc::clone(bytes);
                here.work(move |machine| machine.share(&bytes, content))
            }
            Self::Worker(worker) => worker.share(bytes, content),
        }
    }

    /// As [`Machine::unshare`].
    pub(crate) fn unshare(&mut self, gva: u64) -> Result<(), Error> {
        match self {
            Self::Here(here) => here.work(move |machine| machine.unshare(gva)),
            Self::Worker(worker) => worker.unshare(gva),
        }
    }

    /// As [`Machine::on_host`]; the work is done here, since it is not the VM's.
    pub(crate) fn on_host<T>(
        &mut self,
        work: impl FnOnce(&CancelState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self {
            Self::Here(here) => here.here_mut().on_host(work),
            Self::Worker(worker) => worker.on_host(work),
        }
    }

    /// Has memory backed in large pieces, for a guest that will take much of it; says whether a
    /// copy of its code on large pages would gain it time.
    pub(crate) fn expect_much(&mut self) -> bool {
        match self {
            Self::Here(here) => here.here_mut().expect_much(),
            // Code is copied to get there, in any case.
            Self::Worker(_) => false,
        }
    }

    /// Copies out of guest memory.
    ///
    /// # Errors
    ///
    /// When the guest does not have these bytes, though it said so.
    pub(crate) fn read(&mut self, from: Gva, to: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Here(here) => {
                let memory = here.here_mut().memory();
                let bytes = memory.slice(from, to.len() as u64).map_err(not_there)?;
                to.copy_from_slice(bytes);
                Ok(())
            }
            Self::Worker(worker) => worker.read(from, to),
        }
    }

    /// Copies into guest memory.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub(crate) fn write(&mut self, to: Gva, from: &[u8]) -> Result<(), Error> {
        match self {
            Self::Here(here) => {
                let memory = here.here_mut().memory();
                let bytes = memory.slice(to, from.len() as u64).map_err(not_there)?;
                bytes.copy_from_slice(from);
                Ok(())
            }
            Self::Worker(worker) => worker.write(to, from),
        }
    }

    /// As [`Machine::set_deadline`].
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        match self {
            Self::Here(here) => here.here_mut().set_deadline(deadline),
            Self::Worker(worker) => worker.set_deadline(deadline),
        }
    }

    /// As [`Machine::cancel_state`].
    pub(crate) fn cancel_state(&self) -> &Arc<CancelState> {
        match self {
            Self::Here(here) => here.here().cancel_state(),
            Self::Worker(worker) => worker.cancel_state(),
        }
    }

    /// As [`Machine::usage`].
    pub(crate) fn usage(&self) -> Usage {
        match self {
            Self::Here(here) => here.here().usage(),
            Self::Worker(worker) => worker.usage(),
        }
    }

    /// Process id of the worker, if it is in one.
    pub(crate) fn worker(&self) -> Option<u32> {
        match self {
            Self::Here(_) => None,
            Self::Worker(worker) => Some(worker.process()),
        }
    }

    /// Process id of the child of this process that has the guest, if one has it.
    pub(crate) fn child(&self) -> Option<u32> {
        match self {
            Self::Here(here) => here.here().child(),
            Self::Worker(_) => None,
        }
    }

    /// What the jail of its worker is worth, if it is in a jailed one.
    pub(crate) fn jail(&self) -> Option<&str> {
        match self {
            Self::Here(_) => None,
            Self::Worker(worker) => worker.jail(),
        }
    }

    /// As [`Machine::boundary`].
    pub(crate) fn boundary(&self) -> String {
        match self {
            Self::Here(here) => here.here().boundary(),
            Self::Worker(worker) => worker.boundary(),
        }
    }
}

impl Kept {
    fn here(&self) -> Result<Arc<Prepared>, Error> {
        match self {
            Self::Here(prepared) => Ok(Arc::clone(prepared)),
            Self::Worker(_) => Err(elsewhere()),
        }
    }

    /// Bytes that are kept, if that is here.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Here(prepared) => Some(prepared.size()),
            Self::Worker(_) => None,
        }
    }
}

/// Resets a machine, for the next program, with a world of its own.
fn reset(machine: &mut Machine, world: Wasi, from: Option<Arc<Prepared>>) -> Result<(), Error> {
    machine.reset(from)?;
    machine.services().renew(world);
    Ok(())
}

/// A guest was kept in another process.
pub(crate) fn elsewhere() -> Error {
    Error::Failed(
        "a VM in a worker process goes on from a snapshot of itself alone, and from the last"
            .to_owned(),
    )
}

fn not_there(error: MemoryRefused) -> Error {
    VmEnd::Protocol(error.to_string()).into()
}

impl Here {
    /// As [`Machine::new`].
    fn new(
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        services: Services,
        from: Option<Arc<Prepared>>,
    ) -> Result<Self, Error> {
        if !hypervisor.binds_threads() {
            let made = Machine::new(hypervisor, config, services, from);
            let machine = Box::new(made?);
            return Ok(Self { machine: Some(machine), thread: None });
        }
        let thread = OwnThread::start().map_err(Error::Thread)?;
        let hypervisor = hypervisor.another();
        let make = move || Machine::new(hypervisor.as_ref(), config, services, from);
        let made = thread.run(make)?;
        Ok(Self { machine: Some(Box::new(made)), thread: Some(thread) })
    }

    fn command(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        if self.thread.is_none() {
            return self.here_mut().command(command, words, payload);
        }
        let (words, payload) = (words.to_vec(), payload.to_vec());
        self.work(move |machine| machine.command(command, &words, &payload))
    }

    /// Has the machine work where it must.
    fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Machine) -> T + Send + 'static,
    ) -> T {
        let Some(thread) = &self.thread else { return work(self.here_mut()) };
        let mut machine = self.machine.take().expect(AT_HOME);
        let (machine, result) = thread.run(move || {
            // A panic is a bug of ours, and the caller's to see; but the machine comes back.
            let result = catch_unwind(AssertUnwindSafe(|| work(&mut machine)));
            (machine, result)
        });
        self.machine = Some(machine);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn here(&self) -> &Machine {
        self.machine.as_deref().expect(AT_HOME)
    }

    fn here_mut(&mut self) -> &mut Machine {
        self.machine.as_deref_mut().expect(AT_HOME)
    }
}

/// Work takes the whole of [`Here`], and brings the machine back in any case.
const AT_HOME: &str = "the machine is at home between two calls";

impl Drop for Here {
    fn drop(&mut self) {
        let machine = self.machine.take();
        if let Some(thread) = &self.thread {
            thread.run(move || drop(machine));
        }
    }
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

    /// Does a job there, and waits for its result.
    fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = channel();
        let job: Job = Box::new(move || {
            // Nobody else has the other end, and it waits.
            let _ = done.send(catch_unwind(AssertUnwindSafe(job)));
        });
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
    fn a_panic_is_the_callers_and_the_thread_goes_on() {
        let thread = OwnThread::start().unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| thread.run(|| panic!("a test's"))));
        assert!(caught.is_err());
        assert_eq!(thread.run(|| 42), 42);
    }
}

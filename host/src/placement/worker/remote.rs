//! A machine in a worker, as its parent has it.

use super::Workers;
use super::channel::{Channel, Patience};
use super::message::{CHUNK_MAX, Done, Message, Request, Response, World};
use super::process::{Process, Started};
use crate::error::{Error, Interruption, VmEnd};
use crate::machine::{Answer, CancelState, Content, MachineConfig, RECORDER, Usage, begin_call};
use crate::services::log::Log;
use crate::world::{OutputBuffer, WasiConfig};
use rustix::net::{SendFlags, send};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wrt_abi::{Command, LogLevel};
use wrt_hypervisor::{Gva, Hypervisor, Kicker};
use wrt_platform::memory::SharedBytes;
use wrt_platform::socket::SEND;
use wrt_platform::text::Line;
use wrt_platform::wake::Waker;

/// How long a worker whose socket has closed has to end by itself: the reason is in how it ends.
const END_GRACE: Duration = Duration::from_millis(200);
/// How much later than at the end of its call a worker may answer before it is killed.
const ANSWER_GRACE: Duration = Duration::from_secs(1);
/// The same for a request that a worker cannot break off.
const REQUEST_GRACE: Duration = Duration::from_secs(5);
/// How long a worker may take to make its machine, or to make it anew.
const BUILD_LIMIT: Duration = Duration::from_secs(60);
const RESET_LIMIT: Duration = Duration::from_secs(10);

/// The parent's end.
pub(crate) struct Remote {
    process: Process,
    channel: Channel,
    cancel: Arc<CancelState>,
    kick: Arc<Kick>,
    deadline: Option<Instant>,
    usage: Usage,
    boundary: String,
    /// What its jail is worth, if it is in one.
    jail: Option<String>,
    /// What it was started as.
    origin: Origin,
    /// Where captured output goes.
    captures: [Option<OutputBuffer>; 2],
    /// What the guest logs.
    log: Log,
    /// Why there is no worker any more.
    dead: Option<VmEnd>,
}

/// What a worker is made from.
struct Origin {
    workers: Workers,
    backend: &'static str,
    config: MachineConfig,
}

/// Tells a worker which command to end, and the thread that waits for it that it is to end.
struct Kick {
    socket: Mutex<UnixStream>,
    /// The command that runs, or is the next to.
    sequence: AtomicU64,
    waker: Waker,
}

impl Kicker for Kick {
    fn kick(&self) {
        let sequence = self.sequence.load(Ordering::SeqCst);
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that is gone has ended its command; one that does not read is killed when its
        // grace is over.
        let _ = send(&*socket, &sequence.to_le_bytes(), SEND | SendFlags::DONTWAIT);
        self.waker.wake();
    }

    fn forewarn(&self) {
        self.waker.wake();
    }
}

/// Waits for a worker until a time, or until some time after its call is to end.
struct Waiting<'a> {
    cancel: &'a CancelState,
    kick: &'a Kick,
    until: Option<Instant>,
    grace: Duration,
    /// When it was noticed that the call is to end.
    noticed: Cell<Option<Instant>>,
}

impl Patience for Waiting<'_> {
    fn left(&self) -> Option<Duration> {
        let now = Instant::now();
        if self.noticed.get().is_none() && self.cancel.wanted().is_some() {
            self.noticed.set(Some(now));
        }
        let noticed = self.noticed.get().and_then(|noticed| noticed.checked_add(self.grace));
        let end = self.until.into_iter().chain(noticed).min();
        end.map(|end| end.saturating_duration_since(now))
    }

    fn waker(&self) -> Option<&Waker> {
        Some(&self.kick.waker)
    }
}

impl Remote {
    /// Starts a worker, and has it make a machine.
    pub(crate) fn new(
        workers: &Workers,
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        world: &WasiConfig,
        deadline: Option<Instant>,
    ) -> Result<Self, Error> {
        if config.image.is_some() {
            return Err(Error::Failed("a worker has the embedded guests and no others".to_owned()));
        }
        let started = Instant::now();
        let origin = Origin { workers: workers.clone(), backend: hypervisor.name(), config };
        let Started { process, requests, cancels } = origin.start()?;
        let failed = |error| Error::Failed(format!("cannot talk to a worker: {error}"));
        let waker = Waker::new().map_err(failed)?;
        let kick = Kick { socket: Mutex::new(cancels), sequence: AtomicU64::new(0), waker };
        let kick = Arc::new(kick);
        let mut remote = Self {
            process,
            channel: Channel::new(requests).map_err(failed)?,
            cancel: CancelState::new(Arc::clone(&kick) as Arc<dyn Kicker>),
            kick,
            deadline,
            usage: Usage::default(),
            boundary: String::new(),
            jail: None,
            origin,
            captures: [None, None],
            log: Log::new(world.program()),
            dead: None,
        };
        let described = world.describe()?;
        remote.build(world, described)?;
        remote.usage.create = started.elapsed();
        Ok(remote)
    }

    /// Has a new worker make its machine.
    fn build(
        &mut self,
        world: &WasiConfig,
        (description, descriptors): (World, Vec<OwnedFd>),
    ) -> Result<(), Error> {
        self.captures = world.captures();
        self.log.set_program(world.program());
        let Origin { workers, backend, config } = &self.origin;
        let build = Request::Build {
            backend: (*backend).to_owned(),
            engine: config.engine as u64,
            stack_size: config.stack_size,
            memory_limit: config.memory_limit,
            world: description,
            jailed: workers.jailed,
        };
        match self.ask_until(&build, descriptors, self.build_limit(), ANSWER_GRACE)? {
            Done::Built { boundary, jail } if jail.is_some() == self.origin.workers.jailed => {
                (self.boundary, self.jail) = (boundary, jail);
                Ok(())
            }
            _ => Err(self.nonsense()),
        }
    }

    pub(crate) fn command(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        let sequence = self.kick.sequence.fetch_add(1, Ordering::SeqCst) + 1;
        let call = begin_call(&self.cancel, self.deadline)?;
        let request = Request::Command {
            sequence,
            command: command as u64,
            words: words.to_vec(),
            payload: payload.to_vec(),
        };
        let until = self.deadline.and_then(|deadline| deadline.checked_add(ANSWER_GRACE));
        let done = RECORDER
            .interval("worker", || self.ask_until(&request, Vec::new(), until, ANSWER_GRACE));
        drop(call);
        done?.answer().ok_or_else(|| self.nonsense())
    }

    /// As [`Machine::reset`](crate::machine::Machine::reset), to a world. A worker that is gone, or
    /// does not do it, is replaced by a new one; so is one whose jail keeps it from directories.
    pub(crate) fn reset(&mut self, world: &WasiConfig) -> Result<(), Error> {
        self.deadline = None;
        let barred = world.has_directories() && self.jail.is_some();
        if self.dead.is_none() && !barred {
            match self.renew(world, |world| Request::Reset { world }) {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!("a worker is replaced: {error}"),
            }
        }
        self.replace(world)
    }

    /// Has the worker begin anew, by this request, with a world.
    fn renew(
        &mut self,
        world: &WasiConfig,
        request: impl FnOnce(World) -> Request,
    ) -> Result<(), Error> {
        let (description, descriptors) = world.describe()?;
        let until = Some(Instant::now() + RESET_LIMIT);
        // What is left of the last program's output is the last program's.
        let renewed = self.ask_until(&request(description), descriptors, until, REQUEST_GRACE);
        self.captures = world.captures();
        self.log.set_program(world.program());
        renewed.map(|_| ())
    }

    /// Has the worker keep its guest, in the place of one that it kept before; returns what it is
    /// called.
    pub(crate) fn prepare(&mut self) -> Result<u64, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // No two have one name, in whichever worker: one cannot be taken for another.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        self.ask(&Request::Prepare { number }, Vec::new())?;
        Ok(number)
    }

    /// As [`Self::reset`], to the guest that is kept.
    pub(crate) fn restore(&mut self, world: &WasiConfig, number: u64) -> Result<(), Error> {
        if world.has_directories() && self.jail.is_some() {
            return Err(Error::Failed(
                "a jailed worker has the directories that it was made with and no others: give \
                 none to a VM that is restored to a snapshot"
                    .to_owned(),
            ));
        }
        self.deadline = None;
        self.renew(world, |world| Request::Restore { number, world })
    }

    /// Puts a new worker into the place of this one.
    fn replace(&mut self, world: &WasiConfig) -> Result<(), Error> {
        let described = world.describe()?;
        let Started { process, requests, cancels } = self.origin.start()?;
        let channel = Channel::new(requests)
            .map_err(|error| Error::Failed(format!("cannot talk to a worker: {error}")))?;
        // The old one ends as it is dropped.
        (self.process, self.channel) = (process, channel);
        *self.kick.socket.lock().unwrap_or_else(PoisonError::into_inner) = cancels;
        self.dead = None;
        let built = self.build(world, described);
        if let Err(error) = &built {
            // It has no machine, so it is of no use.
            self.dead.get_or_insert_with(|| VmEnd::Worker(error.to_string()));
        }
        built
    }

    pub(crate) fn share(&mut self, bytes: &SharedBytes, content: Content) -> Result<u64, Error> {
        let file = bytes.to_file().map_err(Error::Memory)?;
        let len = bytes.as_slice().len() as u64;
        let request = Request::Share { len, code: content != Content::Data };
        match self.ask(&request, vec![file])? {
            Done::Shared(address) => Ok(address),
            _ => Err(self.nonsense()),
        }
    }

    pub(crate) fn unshare(&mut self, address: u64) -> Result<(), Error> {
        self.ask(&Request::Unshare { address }, Vec::new()).map(|_| ())
    }

    pub(crate) fn read(&mut self, from: Gva, to: &mut [u8]) -> Result<(), Error> {
        for (number, chunk) in to.chunks_mut(CHUNK_MAX).enumerate() {
            let address = from.0.wrapping_add((number * CHUNK_MAX) as u64);
            let request = Request::Read { address, len: chunk.len() as u64 };
            match self.ask(&request, Vec::new())? {
                Done::Read(bytes) if bytes.len() == chunk.len() => chunk.copy_from_slice(&bytes),
                _ => return Err(self.nonsense()),
            }
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, to: Gva, from: &[u8]) -> Result<(), Error> {
        for (number, chunk) in from.chunks(CHUNK_MAX).enumerate() {
            let address = to.0.wrapping_add((number * CHUNK_MAX) as u64);
            self.ask(&Request::Write { address, bytes: chunk.to_vec() }, Vec::new())?;
        }
        Ok(())
    }

    /// Runs `work` on the host as a call of this machine.
    pub(crate) fn on_host<T>(
        &mut self,
        work: impl FnOnce(&CancelState) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let call = begin_call(&self.cancel, self.deadline)?;
        let result = work(&self.cancel);
        drop(call);
        result
    }

    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    pub(crate) fn cancel_state(&self) -> &Arc<CancelState> {
        &self.cancel
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    pub(crate) fn jail(&self) -> Option<&str> {
        self.jail.as_deref()
    }

    pub(crate) fn boundary(&self) -> String {
        format!("{}; a worker process of its own", self.boundary)
    }

    /// When a worker that makes its machine has to be done.
    fn build_limit(&self) -> Option<Instant> {
        let limit = Instant::now() + BUILD_LIMIT;
        let own = self.deadline.and_then(|deadline| deadline.checked_add(ANSWER_GRACE));
        Some(own.map_or(limit, |own| own.min(limit)))
    }

    /// Sends a request that the worker cannot break off, and waits for what becomes of it.
    fn ask(&mut self, request: &Request, descriptors: Vec<OwnedFd>) -> Result<Done, Error> {
        // One that is made after the deadline has its time, too.
        let from = self.deadline.map(|deadline| deadline.max(Instant::now()));
        let until = from.and_then(|from| from.checked_add(REQUEST_GRACE));
        self.ask_until(request, descriptors, until, REQUEST_GRACE)
    }

    /// Sends a request and waits for what becomes of it: until a time, and when the call is
    /// cancelled until its grace is over. A worker that has not answered by then is killed.
    fn ask_until(
        &mut self,
        request: &Request,
        descriptors: Vec<OwnedFd>,
        until: Option<Instant>,
        grace: Duration,
    ) -> Result<Done, Error> {
        if let Some(end) = &self.dead {
            return Err(end.clone().into());
        }
        let (cancel, kick) = (Arc::clone(&self.cancel), Arc::clone(&self.kick));
        let noticed = Cell::new(None);
        let waiting = Waiting { cancel: &cancel, kick: &kick, until, grace, noticed };
        let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
        let response = match self.channel.send(request, &borrowed, &waiting) {
            Ok(()) => self.response(&waiting),
            Err(error) => Err(error),
        };
        let Response { result, usage } = response.map_err(|error| self.lost(&error))?;
        self.usage = Usage { create: self.usage.create, ..usage };
        result.map_err(|failure| failure.into_error(self.cancel.interruption()))
    }

    /// Waits for the response to a request. What the guest logs and writes until then goes where
    /// it belongs.
    fn response(&mut self, waiting: &Waiting<'_>) -> io::Result<Response> {
        loop {
            match self.channel.receive(waiting)?.0 {
                Message::Response(response) => return Ok(response),
                Message::Line { level, text } => {
                    // A level that is none is no worse than a line that is not sent.
                    if let Ok(level) = LogLevel::try_from(level) {
                        self.log.line(level, &text);
                    }
                }
                Message::Output { error, bytes } => {
                    if let Some(buffer) = &self.captures[usize::from(error)] {
                        buffer.append(&bytes);
                    }
                }
            }
        }
    }

    /// The worker does not answer as it should: it is ended, and is not asked again.
    fn lost(&mut self, error: &io::Error) -> Error {
        let end = match error.kind() {
            // Nothing was sent.
            io::ErrorKind::InvalidInput => return Error::Failed(error.to_string()),
            io::ErrorKind::InvalidData => {
                self.process.end(Duration::ZERO);
                VmEnd::Worker(format!("it sent {error}"))
            }
            io::ErrorKind::TimedOut => {
                self.process.end(Duration::ZERO);
                VmEnd::Worker("it did not answer in time, and was killed".to_owned())
            }
            _ => VmEnd::Worker(self.process.end(END_GRACE)),
        };
        self.dead = Some(end.clone());
        match self.why_over() {
            Some(why) if error.kind() == io::ErrorKind::TimedOut => Error::Interrupted(why),
            _ => end.into(),
        }
    }

    /// Why a call is over that runs or was about to begin, if it is.
    fn why_over(&self) -> Option<Interruption> {
        let wanted = self.cancel.wanted();
        self.cancel.forget_early();
        let passed = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        wanted.or(passed.then_some(Interruption::TimedOut))
    }

    /// The worker has answered something else.
    fn nonsense(&mut self) -> Error {
        let error = io::Error::new(io::ErrorKind::InvalidData, "an answer to another question");
        self.lost(&error)
    }
}

impl Origin {
    /// Starts a worker.
    fn start(&self) -> Result<Started, Error> {
        Process::start(&self.workers).map_err(|error| {
            Error::Failed(format!("cannot start the worker {}: {error}", Line(&self.workers)))
        })
    }
}

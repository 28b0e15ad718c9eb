//! A machine in a worker, as its parent has it.

use super::Workers;
use super::channel::Channel;
use super::message::{CHUNK_MAX, Done, Message, Request, Response, World};
use crate::error::{Error, VmEnd};
use crate::hypercall::log::Log;
use crate::hypercall::wasi::{OutputBuffer, WasiConfig};
use crate::hypervisor::{Gva, Hypervisor, Kicker};
use crate::machine::{Answer, CancelState, Content, MachineConfig, RECORDER, Usage, begin_call};
use command_fds::{CommandFdExt as _, FdMapping};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command as Program, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wrt_abi::{Command, LogLevel};
use wrt_platform::memory::SharedBytes;

/// The descriptors that a worker finds its sockets at.
pub(super) const REQUESTS: i32 = 3;
pub(super) const CANCELS: i32 = 4;

/// How long a worker has to end by itself.
const GRACE: Duration = Duration::from_millis(200);

/// The parent's end.
pub(crate) struct Remote {
    worker: Child,
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

/// Tells a worker which command to end.
struct Kick {
    socket: Mutex<UnixStream>,
    /// The command that runs, or is the next to.
    sequence: AtomicU64,
}

impl Kicker for Kick {
    fn kick(&self) {
        let sequence = self.sequence.load(Ordering::SeqCst);
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that is gone has ended its command.
        let _ = (&*socket).write_all(&sequence.to_le_bytes());
    }
}

impl Remote {
    /// Starts a worker, and has it make a machine.
    pub(crate) fn new(
        workers: &Workers,
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        world: &WasiConfig,
    ) -> Result<Self, Error> {
        if config.image.is_some() {
            return Err(Error::Failed("a worker has the embedded guests and no others".to_owned()));
        }
        let started = Instant::now();
        let origin = Origin { workers: workers.clone(), backend: hypervisor.name(), config };
        let (channel, cancels, worker) = origin.start()?;
        let kick = Arc::new(Kick { socket: Mutex::new(cancels), sequence: AtomicU64::new(0) });
        let mut remote = Self {
            worker,
            channel: Channel::new(channel),
            cancel: CancelState::new(Arc::clone(&kick) as Arc<dyn Kicker>),
            kick,
            deadline: None,
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
        match self.ask(&build, descriptors)? {
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
        let done = RECORDER.interval("worker", || self.ask(&request, Vec::new()));
        drop(call);
        done?.answer().ok_or_else(|| self.nonsense())
    }

    pub(crate) fn reset(&mut self, world: &WasiConfig) -> Result<(), Error> {
        if world.has_directories() && self.jail.is_some() && self.dead.is_none() {
            return self.replace(world);
        }
        self.renew(world, |world| Request::Reset { world })
    }

    /// Has the worker begin anew, by this request, with a world.
    fn renew(
        &mut self,
        world: &WasiConfig,
        request: impl FnOnce(World) -> Request,
    ) -> Result<(), Error> {
        let (description, descriptors) = world.describe()?;
        // What is left of the last program's output is the last program's.
        let renewed = self.ask(&request(description), descriptors);
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
                "a jailed worker has the directories that it was made with and no others: give                  none to a VM that goes on from a snapshot"
                    .to_owned(),
            ));
        }
        self.renew(world, |world| Request::Restore { number, world })
    }

    /// Has another worker in the place of this one, whose jail keeps it from a new world's
    /// directories.
    fn replace(&mut self, world: &WasiConfig) -> Result<(), Error> {
        let described = world.describe()?;
        let (channel, cancels, worker) = self.origin.start()?;
        let _ = self.worker.kill();
        let _ = self.worker.wait();
        (self.worker, self.channel) = (worker, Channel::new(channel));
        *self.kick.socket.lock().unwrap_or_else(PoisonError::into_inner) = cancels;
        self.build(world, described)
    }

    pub(crate) fn share(&mut self, bytes: &SharedBytes, content: Content) -> Result<u64, Error> {
        let file = wrt_platform::memory::unnamed_file(bytes.as_slice()).map_err(Error::Memory)?;
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
        self.worker.id()
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

    /// Sends a request and waits for what becomes of it.
    fn ask(&mut self, request: &Request, descriptors: Vec<OwnedFd>) -> Result<Done, Error> {
        if let Some(end) = &self.dead {
            return Err(end.clone().into());
        }
        let borrowed: Vec<_> = descriptors.iter().map(|descriptor| descriptor.as_fd()).collect();
        let response = match self.channel.send(request, &borrowed) {
            Ok(()) => self.response(),
            Err(error) => Err(error),
        };
        let Response { result, usage, captured } = response.map_err(|error| self.lost(&error))?;
        self.usage = Usage { create: self.usage.create, ..usage };
        for (buffer, bytes) in self.captures.iter().zip(captured) {
            if let Some(buffer) = buffer {
                buffer.append(&bytes);
            }
        }
        result.map_err(|failure| failure.into_error(self.cancel.interruption()))
    }

    /// Waits for the response to a request, and logs what the guest says until then.
    fn response(&mut self) -> io::Result<Response> {
        loop {
            match self.channel.receive()?.0 {
                Message::Response(response) => return Ok(response),
                Message::Line { level, text } => {
                    // A level that is none is no worse than a line that is not sent.
                    if let Ok(level) = LogLevel::try_from(level) {
                        self.log.line(level, &text);
                    }
                }
            }
        }
    }

    /// The worker does not answer as it should: it is ended, and is not asked again.
    fn lost(&mut self, error: &io::Error) -> Error {
        let end = match error.kind() {
            io::ErrorKind::InvalidData => {
                let _ = self.worker.kill();
                VmEnd::Worker(format!("it sent {error}"))
            }
            _ => VmEnd::Worker(match self.end_worker() {
                Ok(status) => describe(status),
                Err(error) => error.to_string(),
            }),
        };
        self.dead = Some(end.clone());
        end.into()
    }

    /// The worker has answered something else.
    fn nonsense(&mut self) -> Error {
        let error = io::Error::new(io::ErrorKind::InvalidData, "an answer to another question");
        self.lost(&error)
    }

    /// Waits for the worker's end, and hastens it if need be.
    fn end_worker(&mut self) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if let Some(status) = self.worker.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.worker.kill()?;
        self.worker.wait()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Between two requests it holds nothing that would be lost.
        let _ = self.worker.kill();
        let _ = self.worker.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("it was killed by signal {signal}"),
        (None, Some(code)) => format!("it exited with code {code}"),
        (None, None) => "it is gone".to_owned(),
    }
}

impl Origin {
    /// Starts a worker.
    fn start(&self) -> Result<(UnixStream, UnixStream, Child), Error> {
        let program = &self.workers.program;
        start(&self.workers).map_err(|error| {
            Error::Failed(format!("cannot start the worker {}: {error}", program.display()))
        })
    }
}

/// Starts a process with the other ends of two sockets.
fn start(workers: &Workers) -> io::Result<(UnixStream, UnixStream, Child)> {
    let (requests, its_requests) = UnixStream::pair()?;
    let (cancels, its_cancels) = UnixStream::pair()?;
    let mapping = |socket: UnixStream, child_fd| FdMapping { parent_fd: socket.into(), child_fd };
    let mut command = Program::new(&workers.program);
    command
        .args(workers.arguments())
        .fd_mappings(vec![mapping(its_requests, REQUESTS), mapping(its_cancels, CANCELS)])
        .map_err(io::Error::other)?;
    Ok((requests, cancels, command.spawn()?))
}

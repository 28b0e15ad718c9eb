//! A machine in a worker, as its parent has it.

use super::Workers;
use super::channel::{Channel, Packed, Patience};
use super::message::{Built, Message, Plan, Response};
use super::process::{Process, Started};
use crate::error::{Error, Interruption, VmEnd};
use crate::machine::{CancelState, MachineConfig, RECORDER, Running, Usage, begin_call};
use crate::placement::jail::refuse_directories;
use crate::placement::order::{Done, Guest, Order, Whereabouts};
use crate::services::log::Log;
use crate::world::{OutputBuffer, World};
use rustix::net::{SendFlags, send};
use serde::Serialize;
use std::cell::Cell;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wrt_abi::LogLevel;
use wrt_hypervisor::{Backend, Hypervisor, Kicker};
use wrt_platform::socket::SEND;
use wrt_platform::text::{Line, Lines};
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
/// Bytes of text that an error may have: more than any that is made in a worker.
const ERROR_MAX: usize = 64 << 10;

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
        world: &World,
        deadline: Option<Instant>,
    ) -> Result<Self, Error> {
        if config.image.is_some() {
            return Err(Error::Setting(
                "a worker has the embedded guests and no others".to_owned(),
            ));
        }
        let backend = hypervisor.name();
        if backend.parse::<Backend>().is_err() {
            return Err(Error::Setting(format!(
                "a worker opens its hypervisor by name, and `{backend}` is no backend's"
            )));
        }
        refuse_directories(world.inherited())?;
        let started = Instant::now();
        let origin = Origin { workers: workers.clone(), backend, config };
        let (process, channel, cancels) = origin.start()?;
        let waker = Waker::new().map_err(no_talk)?;
        let kick = Kick { socket: Mutex::new(cancels), sequence: AtomicU64::new(0), waker };
        let kick = Arc::new(kick);
        let mut remote = Self {
            process,
            channel,
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
        remote.build(world)?;
        remote.usage.create = started.elapsed();
        Ok(remote)
    }

    /// Has a new worker make its machine.
    fn build(&mut self, world: &World) -> Result<(), Error> {
        self.renew(world);
        let Origin { workers, backend, config } = &self.origin;
        let jailed = workers.jailed;
        let plan = Plan { backend: (*backend).to_owned(), config: *config, world, jailed };
        let limit = Instant::now() + BUILD_LIMIT;
        let own = self.deadline.and_then(|deadline| deadline.checked_add(ANSWER_GRACE));
        let until = own.map_or(limit, |own| own.min(limit));
        match self.ask(&plan, Some(until), ANSWER_GRACE)? {
            Message::Built(Err(error)) => Err(self.check(error)),
            Message::Built(Ok(Built { boundary, jail })) if jail.is_some() == jailed => {
                (self.boundary, self.jail) = (boundary, jail);
                Ok(())
            }
            _ => Err(self.nonsense()),
        }
    }

    /// What comes from now on is the next program's.
    fn renew(&mut self, world: &World) {
        self.captures = world.captures();
        self.log.set_program(world.program());
    }

    /// Puts a new worker into the place of this one.
    fn replace(&mut self, world: &World) -> Result<(), Error> {
        let (process, channel, cancels) = self.origin.start()?;
        // The old one ends as it is dropped.
        (self.process, self.channel) = (process, channel);
        *self.kick.socket.lock().unwrap_or_else(PoisonError::into_inner) = cancels;
        self.dead = None;
        let built = self.build(world);
        if let Err(error) = &built {
            // It has no machine, so it is of no use.
            self.dead.get_or_insert_with(|| VmEnd::Worker(error.to_string()));
        }
        built
    }

    /// Has the worker obey, and waits for what becomes of it: until a time, and when the call is
    /// cancelled until its grace is over.
    fn pass_on(
        &mut self,
        order: &Order<'_>,
        until: Option<Instant>,
        grace: Duration,
    ) -> Result<Done<'static>, Error> {
        let sequence = self.kick.sequence.load(Ordering::SeqCst);
        match self.ask(&(sequence, order), until, grace)? {
            Message::Response(Response { result, usage }) => {
                self.usage = Usage { create: self.usage.create, ..usage };
                result.map_err(|error| self.check(error))
            }
            _ => Err(self.nonsense()),
        }
    }

    /// Sends a request and waits for what becomes of it. A worker that has not answered by then is
    /// killed.
    fn ask(
        &mut self,
        request: &impl Serialize,
        until: Option<Instant>,
        grace: Duration,
    ) -> Result<Message<'static>, Error> {
        if let Some(end) = &self.dead {
            return Err(end.clone().into());
        }
        let packed = Packed::new(request).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => Error::TooLong(error.to_string()),
            _ => Error::Memory(error),
        })?;
        let (cancel, kick) = (Arc::clone(&self.cancel), Arc::clone(&self.kick));
        let noticed = Cell::new(None);
        let waiting = Waiting { cancel: &cancel, kick: &kick, until, grace, noticed };
        let sent = self.channel.send_packed(&packed, &waiting);
        sent.and_then(|()| self.response(&waiting)).map_err(|error| self.lost(&error))
    }

    /// Waits for the response to a request. What the guest logs and writes until then goes where
    /// it belongs.
    fn response(&mut self, waiting: &Waiting<'_>) -> io::Result<Message<'static>> {
        loop {
            match self.channel.receive(waiting)? {
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
                response => return Ok(response),
            }
        }
    }

    /// The error that a worker tells.
    fn check(&mut self, error: Error) -> Error {
        match error {
            _ if !is_presentable(&error) => self.nonsense(),
            // It does not know why it was told to end its call.
            Error::Interrupted(_) => {
                let why = self.cancel.interruption();
                Error::Interrupted(why.unwrap_or(Interruption::Cancelled))
            }
            error => error,
        }
    }

    /// The worker does not answer as it should: it is ended, and is not asked again.
    fn lost(&mut self, error: &io::Error) -> Error {
        let end = match error.kind() {
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

    /// The worker has said what makes no sense.
    fn nonsense(&mut self) -> Error {
        let error = io::Error::new(io::ErrorKind::InvalidData, "an answer to another question");
        self.lost(&error)
    }
}

impl Guest for Remote {
    fn obey<'g>(&'g mut self, order: Order<'_>) -> Result<Done<'g>, Error> {
        if let Order::Command { .. } = order {
            self.kick.sequence.fetch_add(1, Ordering::SeqCst);
            let call = self.begin()?;
            let until = self.deadline.and_then(|deadline| deadline.checked_add(ANSWER_GRACE));
            let done = RECORDER.interval("worker", || self.pass_on(&order, until, ANSWER_GRACE));
            drop(call);
            return done;
        }
        let Some(world) = order.world() else {
            // One that is made after the deadline has its time, too.
            let from = self.deadline.map(|deadline| deadline.max(Instant::now()));
            let until = from.and_then(|from| from.checked_add(REQUEST_GRACE));
            return self.pass_on(&order, until, REQUEST_GRACE);
        };
        let anew = matches!(order, Order::Reset { .. });
        let barred = !world.preopens.is_empty() && self.jail.is_some();
        if barred && !anew {
            return Err(Error::Snapshot(
                "a jailed worker has the directories that it was made with and no others: give \
                 none to a VM that is restored to a snapshot"
                    .to_owned(),
            ));
        }
        refuse_directories(world.inherited())?;
        self.deadline = None;
        let gone = anew && self.dead.is_some();
        if !barred && !gone {
            let until = Some(Instant::now() + RESET_LIMIT);
            // What is left of the last program's output is the last program's.
            let renewed = self.pass_on(&order, until, REQUEST_GRACE);
            self.renew(world);
            match renewed {
                Err(error) if anew => tracing::debug!("a worker is replaced: {error}"),
                renewed => return renewed,
            }
        }
        // One that is gone, or does not do it, or whose jail keeps it from directories.
        self.replace(world).map(|()| Done::Nothing)
    }

    fn begin(&mut self) -> Result<Running, Error> {
        begin_call(&self.cancel, self.deadline)
    }

    fn canceller(&self) -> &Arc<CancelState> {
        &self.cancel
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn whereabouts(&self) -> Whereabouts<'_> {
        Whereabouts {
            boundary: format!("{}; a worker process of its own", self.boundary),
            worker: Some(self.process.id()),
            child: None,
            jail: self.jail.as_deref(),
        }
    }
}

impl Origin {
    /// Starts a worker; returns it, and the ends of its sockets.
    fn start(&self) -> Result<(Process, Channel, UnixStream), Error> {
        let Started { process, requests, cancels } =
            Process::start(&self.workers).map_err(|error| {
                Error::Worker(format!("cannot start the worker {}: {error}", Line(&self.workers)))
            })?;
        Ok((process, Channel::new(requests).map_err(no_talk)?, cancels))
    }
}

/// Whether people can be shown an error: every one that is made in a worker that does as it should is
/// text that no terminal obeys, and not long.
fn is_presentable(error: &Error) -> bool {
    let text = error.to_string();
    text.len() <= ERROR_MAX && Lines(&text).to_string() == text
}

fn no_talk(error: io::Error) -> Error {
    Error::Worker(format!("cannot talk to a worker: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_that_only_an_attacker_makes_are_not_passed_on() {
        let panic = |text: &str| Error::Ended(VmEnd::Panic(text.to_owned()));
        assert!(is_presentable(&panic("out of luck")));
        assert!(!is_presentable(&panic("\x1b[2J")));
        assert!(!is_presentable(&panic(&"long".repeat(ERROR_MAX / 4))));
        let name = String::from("a\u{202e}b");
        assert!(!is_presentable(&Error::NoSuchExport(name)));
    }
}

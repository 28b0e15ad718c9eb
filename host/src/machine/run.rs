//! The run loop: commands in, hypercalls served, answers out.

use super::calls::{self, Hypercall, Outcome, Serve};
use super::cancel::CancelState;
use super::image::{self, GuestImage, Image};
use super::mailbox::Mailbox;
use super::memory::{Content, GuestMemory, MemoryRefused, Prepared};
use super::trace::{EXITS, Other, RECORDER};
use super::watchdog::{Running, begin_call};
use crate::embedded;
use crate::error::{Bytes, Error, VmEnd, number};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_abi::layout::{GRANULE, REGION_FIRST, STACK_TOP};
use wrt_abi::mailbox::{RESPONSE_VALUES, Request, Response};
use wrt_abi::services::ServiceId;
use wrt_abi::{ABI_VERSION, Call, Command, EngineKind, Reply};
use wrt_hypervisor::{Exit, Gva, Hypervisor, Vcpu, Vm, arch};
use wrt_platform::memory::SharedBytes;

/// How a guest is to be built.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct MachineConfig {
    /// The engine in it.
    #[serde(with = "number::engine")]
    pub(crate) engine: EngineKind,
    /// Its image, if it is not the embedded one that holds the engine. It stays in its process.
    #[serde(skip)]
    pub(crate) image: Option<GuestImage>,
    /// Bytes of the runtime's stack.
    pub(crate) stack_size: u64,
    /// Bytes that the guest's heap and regions may take.
    pub(crate) memory_limit: u64,
}

/// What a guest has made of its VM.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Usage {
    /// Bytes of guest RAM that are mapped: heap, linear memories, large blocks.
    pub mapped: u64,
    /// The most there ever were.
    pub peak: u64,
    /// Bytes that the program's side of the guest may execute: the engine's code, and compiled code
    /// that is loaded. No byte of them can be written by the guest.
    pub executable: u64,
    /// Exits, by kind.
    pub exits: Exits,
    /// Making the VM, its memory and its vCPU.
    pub create: Duration,
    /// From the guest's first instruction to its first call.
    pub boot: Duration,
    /// Whether the program was refused memory, by its limit or for lack of it, since the VM was
    /// made or reset. The guest says so itself: a program that has taken it over can lie.
    pub memory_refused: bool,
    /// Whether memory that it may have was refused since then, because the system had none left
    /// for the process that has the VM. The host saw it itself.
    pub system_out_of_memory: bool,
}

/// Exits of a VM, counted by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exits {
    /// Answers to commands, the boot's included.
    pub commands: u64,
    /// Calls of each service, by its number.
    services: [u64; ServiceId::ALL.len()],
    /// Requests for memory.
    pub memory: u64,
    /// Kicks from other threads.
    pub kicks: u64,
    /// All others.
    pub other: u64,
}

impl Exits {
    /// Calls of a service.
    pub fn of(&self, service: ServiceId) -> u64 {
        self.services[service as usize]
    }

    /// Every kind of exits, a service's by the service's name, and how many there were.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let services = ServiceId::ALL.iter().map(|service| service.table().name);
        let first = [("commands", self.commands)].into_iter();
        let last = [("memory", self.memory), ("kicks", self.kicks), ("other", self.other)];
        first.chain(services.zip(self.services)).chain(last)
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        let services: u64 = self.services.iter().sum();
        self.commands + services + self.memory + self.kicks + self.other
    }
}

/// The runtime's answer to a command.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    #[serde(with = "number::reply")]
    pub(crate) reply: Reply,
    pub(crate) words: [u64; 3],
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not booted yet.
    Fresh,
    /// Executing its first instructions.
    Booting,
    /// Stopped in a call that waits for the next command.
    Waiting,
    /// Executing a command.
    Working,
    /// Cannot go on.
    Ended,
}

/// One guest with its VM, and what serves its calls.
pub(crate) struct Machine<S> {
    // Declared in the order of dropping: no vCPU without memory, no mapping without bytes.
    vcpu: Box<dyn Vcpu>,
    vm: Box<dyn Vm>,
    memory: GuestMemory,
    mailbox: Mailbox,
    image: &'static Image<'static>,
    services: S,
    cancel: Arc<CancelState>,
    deadline: Option<Instant>,
    state: State,
    /// What the guest goes on from, unless it begins with nothing.
    from: Option<Arc<Prepared>>,
    /// Whether anything changed since the memory was made or reset.
    touched: bool,
    usage: Usage,
}

impl<S: Serve> Machine<S> {
    /// Makes the VM. Its guest boots with the first command, and goes on from another one if that
    /// is given.
    pub(crate) fn new(
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        services: S,
        from: Option<Arc<Prepared>>,
    ) -> Result<Self, Error> {
        let started = Instant::now();
        let image = match config.image {
            Some(GuestImage(image)) => image,
            None => image::of(embedded::guest(hypervisor.arch())?, config.engine)
                .map_err(|error| VmEnd::Protocol(error.to_string()))?,
        };
        let mut vm = hypervisor.create_vm()?;
        let stack_size =
            usize::try_from(config.stack_size.next_multiple_of(GRANULE)).unwrap_or(usize::MAX);
        let limit = config.memory_limit;
        check_suits(from.as_deref(), image, stack_size)?;
        let memory = GuestMemory::new(vm.as_mut(), image, stack_size, limit, from.as_deref());
        let mut memory = memory.map_err(setup_error)?;
        if from.is_none() {
            reserve_first(&mut memory, vm.as_mut())?;
        }
        let vcpu = vm.create_vcpu()?;
        let cancel = CancelState::new(vcpu.kicker());
        let mailbox = memory.mailbox();
        let usage = Usage { create: started.elapsed(), ..Usage::default() };
        Ok(Self {
            vcpu,
            vm,
            memory,
            mailbox,
            image,
            services,
            cancel,
            deadline: None,
            state: State::Fresh,
            from,
            touched: false,
            usage,
        })
    }

    /// Forgets all that the guest did: memory, registers; and the deadline. It boots again with the
    /// next command, and goes on from another guest if that is given. What the services know of it
    /// is the caller's to renew.
    pub(crate) fn reset(&mut self, from: Option<Arc<Prepared>>) -> Result<(), Error> {
        self.deadline = None;
        let as_now = from.as_ref().map(Arc::as_ptr) == self.from.as_ref().map(Arc::as_ptr);
        if self.touched || !as_now {
            self.clear(from)?;
        }
        Ok(())
    }

    /// What serves the guest's calls.
    pub(crate) fn services(&mut self) -> &mut S {
        &mut self.services
    }

    fn clear(&mut self, from: Option<Arc<Prepared>>) -> Result<(), Error> {
        let stack_size = self.memory.stack_size();
        check_suits(from.as_deref(), self.image, usize::try_from(stack_size).unwrap_or(0))?;
        // Should this fail half-way, nothing may run on what is left.
        (self.state, self.touched) = (State::Ended, true);
        self.memory.reset(self.vm.as_mut(), self.image, from.as_deref()).map_err(setup_error)?;
        if from.is_none() {
            reserve_first(&mut self.memory, self.vm.as_mut())?;
        }
        self.from = from;
        (self.state, self.touched) = (State::Fresh, false);
        self.usage.memory_refused = false;
        Ok(())
    }

    /// Keeps what the guest is now, for others to go on from. It has executed a command and waits
    /// for the next, or is about to go on from another one itself.
    pub(crate) fn prepare(&mut self) -> Result<Arc<Prepared>, Error> {
        match (self.state, &self.from) {
            (State::Waiting, _) => {
                let prepared = RECORDER.interval("snapshot", || self.memory.prepare(self.image));
                prepared.map(Arc::new).map_err(setup_error)
            }
            (State::Fresh, Some(from)) if !self.touched => Ok(Arc::clone(from)),
            (State::Ended, _) => Err(VmEnd::Earlier.into()),
            _ => Err(Error::Snapshot("there is nothing in the VM yet: load a module".to_owned())),
        }
    }

    /// What ends calls of this machine from other threads.
    pub(crate) fn cancel_state(&self) -> &Arc<CancelState> {
        &self.cancel
    }

    /// When calls end at the latest.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Counters and times.
    pub(crate) fn usage(&self) -> Usage {
        let (mapped, peak) = self.memory.usage();
        let system_out_of_memory = self.memory.system_had_none();
        let executable = self.memory.executable();
        Usage { mapped, peak, executable, system_out_of_memory, ..self.usage }
    }

    /// As [`Vm::child`].
    pub(crate) fn child(&self) -> Option<u32> {
        self.vm.child()
    }

    /// What keeps the guest in, in words.
    pub(crate) fn boundary(&self) -> String {
        self.vm.boundary()
    }

    /// As [`GuestMemory::expect_much`]; returns whether the guest
    /// [gains](GuestMemory::gains_by_large_pages) by large pages.
    pub(crate) fn expect_much(&mut self) -> bool {
        self.memory.expect_much();
        self.memory.gains_by_large_pages()
    }

    /// The guest's memory.
    pub(crate) fn memory(&mut self) -> &mut GuestMemory {
        self.touched = true;
        &mut self.memory
    }

    /// Lets the guest read `bytes`, or publish parts of them as code; returns their address
    /// there.
    pub(crate) fn share(
        &mut self,
        bytes: &Arc<SharedBytes>,
        content: Content,
    ) -> Result<u64, Error> {
        self.touched = true;
        let vm = self.vm.as_mut();
        let gva = self.memory.share(vm, Arc::clone(bytes), content).map_err(setup_error)?;
        Ok(gva.0)
    }

    /// Takes shared bytes away again.
    pub(crate) fn unshare(&mut self, gva: u64) -> Result<(), Error> {
        self.memory.unshare(self.vm.as_mut(), Gva(gva)).map_err(setup_error)
    }

    /// Has the runtime execute a command.
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] and [`Error::Ended`]; the machine then needs a reset. An
    /// interruption that comes before the guest has run leaves it usable.
    pub(crate) fn command(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        if self.state == State::Ended {
            return Err(VmEnd::Earlier.into());
        }
        let call = self.begin()?;
        let result = self.execute(command, words, payload).map_err(|error| self.reason(error));
        if result.is_err() {
            self.state = State::Ended;
        }
        self.end(call);
        result
    }

    /// Begins a call of this machine, which may be one that is made on the host: what ends calls
    /// ends it too, if it hands the rest of it on ([`CancelState::hand_on`]) or asks.
    pub(crate) fn begin(&mut self) -> Result<Running, Error> {
        begin_call(&self.cancel, self.deadline)
    }

    /// Ends it.
    pub(crate) fn end(&mut self, call: Running) {
        // First the call ends, so that no further kick is for it; then a kick that came is
        // forgotten, so that the next call does not get it.
        drop(call);
        self.vcpu.clear_kick();
    }

    /// Why a call failed: a system call that an interruption has cut short is no failure of its
    /// own.
    fn reason(&self, error: Error) -> Error {
        match (self.cancel.interruption(), &error) {
            (
                Some(why),
                Error::Memory(_) | Error::Hypervisor(_) | Error::Ended(VmEnd::Hypervisor(_)),
            ) => Error::Interrupted(why),
            _ => error,
        }
    }

    fn execute(
        &mut self,
        command: Command,
        words: &[u64],
        payload: &[u8],
    ) -> Result<Answer, Error> {
        if self.state == State::Fresh {
            self.boot()?;
        }
        let mut values = [0; RESPONSE_VALUES];
        values[0] = command as u64;
        values[1..=words.len()].copy_from_slice(words);
        self.mailbox.respond(Response { values, ..Response::default() }, payload);
        self.state = State::Working;
        let answer = self.run()?;
        self.state = State::Waiting;
        Ok(answer)
    }

    fn boot(&mut self) -> Result<(), Error> {
        self.touched = true;
        let started = Instant::now();
        self.vcpu.set_boot_state(self.memory.boot_state())?;
        // A kick that came before may have been forgotten; what it was for is not.
        if let Some(why) = self.cancel.interruption() {
            return Err(Error::Interrupted(why));
        }
        self.state = State::Booting;
        self.run()?;
        self.usage.boot = started.elapsed();
        Ok(())
    }

    /// Runs the guest until it has finished what it is doing.
    ///
    /// Ends when the guest does, or by a kick: the deadline's or a cancellation's. Each round is an
    /// exit of the guest's or one kick.
    fn run(&mut self) -> Result<Answer, Error> {
        loop {
            let exit = RECORDER.interval("guest", || self.vcpu.run());
            let exit = exit.map_err(|error| VmEnd::Hypervisor(error.to_string()))?;
            self.record();
            match exit {
                Exit::Mailbox => {
                    if let Some(answer) = self.serve()? {
                        return Ok(answer);
                    }
                }
                Exit::Kicked => {
                    tracing::trace!(target: EXITS, "{}", Other(exit));
                    self.usage.exits.kicks += 1;
                    // Clear, then look: a request after the look kicks again.
                    self.vcpu.clear_kick();
                    if let Some(why) = self.cancel.interruption() {
                        return Err(Error::Interrupted(why));
                    }
                }
                other => {
                    tracing::trace!(target: EXITS, "{}", Other(other));
                    self.usage.exits.other += 1;
                    return Err(self.end_of(other).into());
                }
            }
        }
    }

    /// Has the graphs of this machine drawn on.
    #[expect(clippy::cast_precision_loss, reason = "a graph does not show it")]
    fn record(&self) {
        RECORDER.value("exits", self.usage.exits.total() as f64);
        RECORDER.value("guest memory", self.memory.usage().0 as f64);
    }

    /// Serves the request in the mailbox. An answer ends the run; otherwise the guest goes on.
    fn serve(&mut self) -> Result<Option<Answer>, Error> {
        let request = self.mailbox.request();
        let call = Call::try_from(request.call).map_err(protocol)?;
        let hypercall = Hypercall::new(call, request);
        tracing::trace!(target: EXITS, "{hypercall}");
        self.count(&hypercall);
        RECORDER.interval(hypercall.name(), || self.serve_call(&hypercall))
    }

    fn serve_call(&mut self, hypercall: &Hypercall) -> Result<Option<Answer>, Error> {
        let request = &hypercall.request;
        match hypercall.call {
            Call::Ready if self.state == State::Booting => check_version(request).map(Some),
            Call::Done if self.state == State::Working => self.answer(request).map(Some),
            Call::Ready | Call::Done => Err(protocol("a command was answered that nobody gave")),
            _ => {
                let context = calls::Context {
                    vm: self.vm.as_mut(),
                    memory: &mut self.memory,
                    mailbox: &self.mailbox,
                    services: &mut self.services,
                    cancel: &self.cancel,
                };
                match calls::dispatch(hypercall, context)? {
                    Outcome::Respond(response, payload) => {
                        self.mailbox.respond(response, &payload);
                        Ok(None)
                    }
                    Outcome::End(end) => Err(self.end_by_call(end)),
                }
            }
        }
    }

    /// The error of a guest that ended itself by a call.
    fn end_by_call(&mut self, end: VmEnd) -> Error {
        let VmEnd::OutOfMemory { wanted } = end else { return end.into() };
        self.usage.memory_refused = true;
        match self.memory.system_had_none() {
            true => Error::Memory(std::io::Error::new(
                std::io::ErrorKind::OutOfMemory,
                format!(
                    "it wanted {} more, which the system has not left for this process",
                    Bytes(wanted)
                ),
            )),
            false => end.into(),
        }
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, Error> {
        let [reply, a, b, c, ..] = request.args;
        let reply = Reply::try_from(reply).map_err(protocol)?;
        self.usage.memory_refused |= request.args[4] != 0;
        let payload = self.mailbox.payload(request.payload_len);
        Ok(Answer { reply, words: [a, b, c], payload })
    }

    fn count(&mut self, hypercall: &Hypercall) {
        let exits = &mut self.usage.exits;
        *match hypercall.call {
            Call::Ready | Call::Done => &mut exits.commands,
            Call::Service => match hypercall.import {
                Some(import) => &mut exits.services[import.service() as usize],
                None => &mut exits.other,
            },
            Call::RegionReserve | Call::RegionCommit | Call::RegionRelease | Call::CodePublish => {
                &mut exits.memory
            }
            Call::Panic | Call::OutOfMemory => &mut exits.other,
        } += 1;
    }

    /// What an exit that ends the VM means.
    fn end_of(&self, exit: Exit) -> VmEnd {
        let exception = match exit {
            Exit::Exception => self.memory.copy_system().map(|copy| arch::describe_report(&copy)),
            Exit::Fault(fault) => Some(arch::describe_fault(self.image.arch, fault)),
            _ => None,
        };
        if let Some(exception) = exception {
            let bottom = STACK_TOP - self.memory.stack_size();
            // The guard below the stack, as far down as one frame may reach.
            let guard = bottom - (512 << 10)..bottom;
            return match exception.address {
                Some(address) if guard.contains(&address) => VmEnd::StackOverflow { exception },
                _ => VmEnd::Exception(exception),
            };
        }
        match exit {
            Exit::SystemCall { number } => VmEnd::SystemCall { number },
            Exit::Memory { gpa, write } => VmEnd::BadAccess { gpa, write },
            other => VmEnd::BadExit(other),
        }
    }
}

/// Whether a guest can go on from another one, if it is to.
fn check_suits(
    from: Option<&Prepared>,
    image: &'static Image<'static>,
    stack_size: usize,
) -> Result<(), Error> {
    if from.is_none_or(|from| from.suits(image, stack_size)) {
        return Ok(());
    }
    let what = "the snapshot is of a VM with another engine, or with a stack of another size";
    Err(Error::Snapshot(what.to_owned()))
}

/// Gives the runtime the region that it has without asking.
fn reserve_first(memory: &mut GuestMemory, vm: &mut dyn Vm) -> Result<(), Error> {
    let first = memory.reserve(vm, 0).map_err(setup_error)?;
    debug_assert_eq!(first, Gva(REGION_FIRST));
    Ok(())
}

fn check_version(request: &Request) -> Result<Answer, Error> {
    match request.args[0] {
        have if have == u64::from(ABI_VERSION) => {
            Ok(Answer { reply: Reply::Ok, words: [0; 3], payload: Vec::new() })
        }
        have => Err(VmEnd::AbiVersion { have, want: ABI_VERSION }.into()),
    }
}

fn protocol(what: impl ToString) -> Error {
    VmEnd::Protocol(what.to_string()).into()
}

fn setup_error(error: MemoryRefused) -> Error {
    match error {
        MemoryRefused::Hypervisor(error) => error.into(),
        MemoryRefused::System(error) => Error::Memory(error),
        other => Error::Failed(other.to_string()),
    }
}

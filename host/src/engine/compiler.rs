//! Compiles modules to machine code, each in a micro-VM of its own.
//!
//! The compiler is a WASI program (`guest/compiler`), embedded as the code that it makes of
//! itself. Its world is two streams: the module comes in, the code goes out, into a file without a
//! name that is sealed before anything looks at it. The host parses neither.

pub use crate::artifact::Target;
pub use wrt_abi::cpu::{Arch, CpuFeatures};
pub use wrt_abi::proposals::{Proposal, Proposals};

use super::examiner::Examiner;
use super::vm::{Builder, Function, MicroVm, Snapshot, unlinkable};
use crate::artifact::{Header, Text};
use crate::embedded::{self, Guest};
use crate::error::{Bytes, Error, Interruption, Seconds, VmEnd};
use crate::machine::CancelState;
use crate::module::Module;
use crate::placement::Placement;
use crate::text;
use crate::world::{Output, OutputBuffer, OutputFile, Stdin, WasiConfig};
use std::io;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use wrt_abi::EngineKind;
use wrt_abi::compiler::{EXIT_INVALID_MODULE, EXIT_UNLINKABLE, NAME, Rejection};
use wrt_hypervisor::Hypervisor;
use wrt_platform::memory::{SharedBytes, populate_read};

/// Bytes of linear memory that the compiler may have.
const MAX_MEMORY: u64 = 2 << 30;
/// The same for a module that alone takes much of that: all that the compiler can use.
const MAX_MEMORY_LARGE: u64 = 4 << 30;
/// Bytes of a module from which on it is one.
const LARGE: usize = 128 << 20;
/// How long one compilation may take unless told otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(600);
/// The most code that is taken from it.
const OUTPUT_MAX: u64 = 2 << 30;
/// The most that it may say about an error.
const MESSAGE_MAX: usize = 64 << 10;

/// A compiler of modules to the code that the native engine runs.
///
/// It has a micro-VM, which is reset between two modules. Whatever a module does to the
/// compiler, it ends in an error of that module. From the third on it begins with a snapshot of
/// itself, instantiated and not run.
pub struct Compiler {
    vm: MicroVm,
    program: Module,
    machine: Target,
    time_limit: Duration,
    /// Whether it has begun before. Most compilers have one module, for which a snapshot is waste.
    begun: bool,
    ready: Option<Ready>,
    examiner: Examiner,
}

/// The compiler's guest, about to begin.
struct Ready {
    snapshot: Snapshot,
    start: Function,
}

impl Compiler {
    /// Makes the VM, in this process.
    ///
    /// # Errors
    ///
    /// As [`Builder::build`].
    pub fn new(hypervisor: &dyn Hypervisor) -> Result<Self, Error> {
        Self::placed(hypervisor, Placement::Here)
    }

    /// Makes the VM somewhere.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn placed(
        hypervisor: &dyn Hypervisor,
        placement: impl Into<Placement>,
    ) -> Result<Self, Error> {
        Self::within(hypervisor, placement, TIME_LIMIT)
    }

    /// As [`Self::placed`], with a [time limit](Self::time_limit), which making the VM keeps, too.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn within(
        hypervisor: &dyn Hypervisor,
        placement: impl Into<Placement>,
        time_limit: Duration,
    ) -> Result<Self, Error> {
        let placement = placement.into();
        let mut vm = Builder::default()
            .engine(EngineKind::Native)
            .placement(placement.clone())
            .max_memory(MAX_MEMORY_LARGE)
            .deadline(Instant::now().checked_add(time_limit))
            .build_on(hypervisor)
            .map_err(|error| match error {
                Error::Interrupted(Interruption::TimedOut) => Error::CannotCompile {
                    reason: format!(
                        "to start the compiler takes longer than {}",
                        Seconds(time_limit)
                    ),
                    interpretable: false,
                },
                other => other,
            })?;
        let large_pages = vm.expect_much();
        let machine = Target::of(hypervisor);
        let program = program(machine.arch, large_pages)?;
        let examiner = Examiner::new(hypervisor, placement);
        Ok(Self { vm, program, machine, time_limit, begun: false, ready: None, examiner })
    }

    /// Ends a compilation that takes longer with [`Error::CannotCompile`]; 10 minutes unless
    /// set.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// What VMs on this machine run, as far as the compiler makes use of it.
    pub fn machine(&self) -> Target {
        self.machine
    }

    /// Compiles a module. One that is compiled already comes back as it is.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidModule`]; [`Error::Unlinkable`] for a component with imports that nothing
    /// provides; [`Error::Unsupported`] for a valid module that no engine runs;
    /// [`Error::CannotCompile`] when the compiler fails or reaches one of its limits.
    pub fn compile(&mut self, module: &Module, target: Target) -> Result<Module, Error> {
        self.compile_for(module, target, None)
    }

    /// Compiles as part of another VM's call: what ends that ends the compilation.
    pub(crate) fn compile_for(
        &mut self,
        module: &Module,
        target: Target,
        call: Option<&CancelState>,
    ) -> Result<Module, Error> {
        if module.target().is_some() {
            return Ok(module.clone());
        }
        let started = Instant::now();
        let output = OutputFile::new(OUTPUT_MAX).map_err(Error::Memory)?;
        let message = OutputBuffer::new(MESSAGE_MAX);
        let world = WasiConfig::new()
            .args([NAME.to_owned(), target.arch.to_string(), target.features.to_string()])
            .stdin(Stdin::Module(module.clone()))
            .stdout(Output::File(output.clone()))
            .stderr(Output::Capture(message.clone()));
        let max_memory = if module.len() < LARGE { MAX_MEMORY } else { MAX_MEMORY_LARGE };
        self.vm.set_max_memory(max_memory);
        let ended = self.run(world, started.checked_add(self.time_limit), call);
        if let Some(why) = call.and_then(CancelState::interruption) {
            return Err(Error::Interrupted(why));
        }
        match ended {
            Ok(()) | Err(Error::Exit(0)) => {}
            Err(error) => {
                let error = self.explain(error, &message.contents(), module);
                return Err(self.examiner.judge(error, module, started + self.time_limit));
            }
        }
        let code = match output.finish() {
            Ok(Some(code)) => code,
            Ok(None) => return Err(cannot_compile(module, "it wrote no code")),
            Err(error) => return Err(not_taken_over(error, module)),
        };
        let header = Header::new(target, module.source(target), code.as_slice());
        tracing::info!(
            module = module.len(),
            code = header.len,
            time = ?started.elapsed(),
            "compiled a module"
        );
        Ok(Module::compiled(code, header))
    }

    /// Has a guest that is about to begin, in a world; returns where it begins.
    fn begin(&mut self, world: WasiConfig, deadline: Option<Instant>) -> Result<Function, Error> {
        let usual = self.vm.max_memory() == MAX_MEMORY;
        // A guest keeps the limit that it was loaded with.
        if let (Some(Ready { snapshot, start }), true) = (&self.ready, usual) {
            match self.vm.restore(snapshot, world.clone()) {
                Ok(()) => {
                    self.vm.set_deadline(deadline);
                    return Ok(start.clone());
                }
                // It may have been in a worker that is gone.
                Err(error) => tracing::debug!("cannot restore the compiler's guest: {error}"),
            }
            self.ready = None;
        }
        self.vm.reset_with(world)?;
        self.vm.set_deadline(deadline);
        let loaded = self.vm.load(&self.program)?;
        let instance = self.vm.instantiate(loaded)?;
        let start = self.vm.function(instance, "_start")?;
        if usual && std::mem::replace(&mut self.begun, true) {
            match self.vm.snapshot() {
                Ok(snapshot) => self.ready = Some(Ready { snapshot, start: start.clone() }),
                // It is slower without.
                Err(error) => tracing::debug!("cannot keep the compiler's guest: {error}"),
            }
        }
        Ok(start)
    }

    fn run(
        &mut self,
        world: WasiConfig,
        deadline: Option<Instant>,
        call: Option<&CancelState>,
    ) -> Result<(), Error> {
        if let Some(why) = call.and_then(|call| call.hand_on(self.vm.cancel_state())) {
            return Err(Error::Interrupted(why));
        }
        let start = self.begin(world, deadline)?;
        self.vm.call(&start, &[]).map(|_| ())
    }

    /// What the end of the compiler means for the module.
    fn explain(&self, error: Error, message: &[u8], module: &Module) -> Error {
        let said = || text::printable_line(message.trim_ascii());
        let cannot = |reason: String| cannot_compile(module, &reason);
        match error {
            Error::Exit(code) if code == i32::from(EXIT_INVALID_MODULE) => {
                match std::str::from_utf8(message).ok().and_then(Rejection::parse) {
                    Some(Rejection { offset, reason }) => Error::InvalidModule {
                        offset,
                        reason: text::printable_line(reason.as_bytes()),
                    },
                    None => cannot(format!("the compiler refused it: {}", said())),
                }
            }
            Error::Exit(code) if code == i32::from(EXIT_UNLINKABLE) => unlinkable(message),
            Error::Exit(_) => cannot(said()),
            Error::Interrupted(Interruption::TimedOut) => {
                cannot(format!("it takes longer than {}", Seconds(self.time_limit)))
            }
            // Rust's standard library says so before it aborts.
            Error::Trap(_) if message.starts_with(b"memory allocation of") => {
                cannot(format!("it takes more than {} of memory", Bytes(self.vm.max_memory())))
            }
            Error::Trap(trap) if message.is_empty() => {
                cannot(format!("the compiler crashed: {}", trap.kind.message()))
            }
            Error::Trap(_) => cannot(format!("the compiler crashed: {}", said())),
            Error::OutputLimit { limit } => {
                cannot(format!("it makes more than {} of code", Bytes(limit)))
            }
            Error::Ended(VmEnd::OutOfMemory { .. }) => {
                cannot("it takes more memory than the compiler has".to_owned())
            }
            Error::Ended(end) => cannot(format!("the compiler's VM ended: {end}")),
            other => other,
        }
    }
}

/// The error for a module, with the way out if there is one.
fn cannot_compile(module: &Module, reason: &str) -> Error {
    Error::CannotCompile { reason: reason.to_owned(), interpretable: !module.is_component() }
}

/// The error for code that cannot be had from the file that the compiler wrote.
fn not_taken_over(error: io::Error, module: &Module) -> Error {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            cannot_compile(module, &format!("its code has more than {}", Bytes(OUTPUT_MAX)))
        }
        io::ErrorKind::ResourceBusy => {
            cannot_compile(module, "the compiler's process keeps hold of the code that it wrote")
        }
        _ => Error::Memory(error),
    }
}

/// The compiler itself, for one processor: the embedded pages, or a copy on large ones.
fn program(arch: Arch, large_pages: bool) -> Result<Module, Error> {
    let embedded = embedded::guest(arch)?;
    // It cannot be damaged: it is part of this program.
    let header = Header::unchecked(Target::baseline(arch), embedded.compiler.0.len() as u64);
    if !large_pages {
        return Ok(Module::compiled(SharedBytes::from_static(embedded.compiler), header));
    }
    let bytes = copy(embedded).map_err(Error::Memory)?;
    let text = Text { start: embedded.text.start, end: embedded.text.end };
    Ok(Module::program(bytes, header, text))
}

/// A copy that all compilers of this process share while there is one.
///
/// A system has no large pages for files. Compiling something small takes faults on a third of
/// the compiler's pages, which cost several times what copying all of them does.
fn copy(embedded: &Guest) -> io::Result<Arc<SharedBytes>> {
    static COPY: Mutex<Option<(Arch, Weak<SharedBytes>)>> = Mutex::new(None);
    let mut copy = COPY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((arch, bytes)) = &*copy
        && *arch == embedded.arch
        && let Some(bytes) = bytes.upgrade()
    {
        return Ok(bytes);
    }
    let program = &embedded.compiler.0;
    // Else the code's first large page would be small ones.
    let start = usize::try_from(embedded.text.start).unwrap_or(0);
    let bytes = Arc::new(SharedBytes::around(start, program.len(), |to| {
        populate_read(program);
        to.copy_from_slice(program);
        Ok::<_, io::Error>(())
    })?);
    *copy = Some((embedded.arch, Arc::downgrade(&bytes)));
    Ok(bytes)
}

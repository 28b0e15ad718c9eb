//! The front door: an engine runs programs, and decides what an embedder need not.
//!
//! Which of the two Wasm engines a program gets, what is compiled, where and within what time, in
//! which process its VM is, when that is jailed, how many run at a time and when the machine is too
//! short of memory for one more: all that is decided here, and told in a [`Report`].

mod admission;
mod choice;
mod compilers;
mod jobs;
mod notice;
mod program;
mod report;
mod running;

pub use choice::Choice;
pub use compilers::CompilerCounts;
pub use notice::{Notice, Observer};
pub use program::{Limits, Program};
pub use report::{Ended, Report, Setup};

use super::cache::{Cache, CacheCounts};
use super::pool::{Pool, PoolCounts};
use super::vm::CancelHandle;
use crate::artifact::Target;
use crate::error::{Error, Interruption};
use crate::module::Module;
use crate::placement::Placement;
use crate::placement::worker::Workers;
use admission::Gate;
use compilers::Compilers;
use report::Draft;
use running::Running;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use wrt_hypervisor::{Backend, Hypervisor};
use wrt_platform::dispatch::{Group, Semaphore};
use wrt_platform::pressure::{PressureLevel, PressureMonitor, current_level, level_at_a_glance};

/// The most programs at a time: each takes a thread, of which a queue gets so many at least on
/// every system.
pub const PARALLEL_MAX: u32 = 64;

/// Settings of an [`Engine`].
pub struct EngineBuilder {
    backend: Backend,
    choice: Choice,
    cache: Option<Cache>,
    jailed: bool,
    apart: bool,
    workers: Option<Workers>,
    parallel: u32,
    ahead: Option<(usize, Limits)>,
    admission: bool,
    observer: Arc<dyn Observer>,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        Self {
            backend: Backend::Auto,
            choice: Choice::Auto,
            cache: None,
            jailed: true,
            apart: false,
            workers: None,
            parallel: 1,
            ahead: None,
            admission: true,
            observer: Arc::new(notice::Deaf),
        }
    }
}

impl EngineBuilder {
    /// Chooses the hypervisor: the best that works unless set.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = backend;
        self
    }

    /// How the Wasm engine of a program is chosen.
    pub fn choice(mut self, choice: Choice) -> Self {
        self.choice = choice;
        self
    }

    /// Keeps compiled code, and takes what was compiled before.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Whether processes that have a guest are jailed: they are unless this says otherwise.
    pub fn jail(mut self, jailed: bool) -> Self {
        self.jailed = jailed;
        self
    }

    /// Whether each program has a process of its own, jailed or not. A jailed one has, but for one
    /// that this process runs [for good](Engine::run_for_good).
    pub fn apart(mut self, apart: bool) -> Self {
        self.apart = apart;
        self
    }

    /// What those processes are like: see [`Workers`].
    pub fn workers(mut self, workers: Workers) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The most programs that run at a time: one unless set, at most [`PARALLEL_MAX`].
    pub fn parallel(mut self, programs: u32) -> Self {
        self.parallel = programs;
        self
    }

    /// Has VMs made ahead, for programs with these limits.
    pub fn ahead(mut self, vms: usize, limits: Limits) -> Self {
        self.ahead = Some((vms, limits));
        self
    }

    /// Whether programs wait, or are refused, when the machine is short of memory: they are unless
    /// this says otherwise.
    pub fn admission(mut self, admission: bool) -> Self {
        self.admission = admission;
        self
    }

    /// Who hears what the engine has to tell.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Makes the engine.
    ///
    /// # Errors
    ///
    /// [`Error::Hypervisor`] when there is none; [`Error::Setting`] for a number of programs that
    /// makes no sense.
    pub fn build(self) -> Result<Engine, Error> {
        let hypervisor = self.backend.open().map_err(|error| Error::from(error).of_making())?;
        self.build_on(hypervisor)
    }

    /// As [`Self::build`], on a hypervisor that is open already.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_on(self, hypervisor: Box<dyn Hypervisor>) -> Result<Engine, Error> {
        if !(1..=PARALLEL_MAX).contains(&self.parallel) {
            return Err(Error::Setting(format!(
                "{} programs at a time cannot be had: 1 to {PARALLEL_MAX} can",
                self.parallel
            )));
        }
        // Looked up before there is a jail, which has no files.
        let _ = Limits::default();
        let apart = self.apart || self.jailed || hypervisor.one_vm_a_process();
        let in_worker = self.workers.map(|workers| Placement::Worker(workers.jailed(self.jailed)));
        let compilers = match (&in_worker, apart) {
            (Some(worker), true) => worker.clone(),
            _ => Placement::Here,
        };
        let shared = Shared {
            compilers: Compilers::new(hypervisor.another(), compilers, Arc::clone(&self.observer)),
            hypervisor,
            in_worker,
            choice: self.choice,
            cache: self.cache,
            jailed: self.jailed,
            apart: self.apart,
            writes: Group::new(),
            pool: self.ahead.map(|(vms, limits)| Ahead { vms, limits, pool: OnceLock::new() }),
            permits: Semaphore::new(self.parallel),
            gate: self.admission.then(|| Gate::new(current_level)),
            monitor: OnceLock::new(),
            observer: self.observer,
            running: Mutex::default(),
            cancelled: AtomicBool::new(false),
            at_once: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            group: Group::new(),
        };
        Ok(Engine { shared: Arc::new(shared) })
    }
}

/// Runs programs, each in a VM of its own. Clones are the same engine; it may be used by many
/// threads at once.
///
/// A program has a jailed process of its own, a *worker*, unless the engine was told otherwise. A
/// worker executes [`worker::serve`](crate::worker::serve), in `wrt-vm` or in a program that calls
/// it first thing:
///
/// ```no_run
/// use wrt_vm::worker::Workers;
/// use wrt_vm::{Engine, Module, Program, WasiConfig};
///
/// # fn main() -> Result<(), wrt_vm::Error> {
/// let engine = Engine::builder().workers(Workers::new("/usr/bin/wrt-vm")).parallel(4).build()?;
/// let world = WasiConfig::new().arg("hello").inherit_stdio();
/// let report = engine.run(Program::new("hello", Module::from_file("hello.wasm")?, world));
/// println!("{:?} in {:?}", report.ended?, report.steps);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

/// VMs that are made ahead.
struct Ahead {
    vms: usize,
    limits: Limits,
    /// Made for the first program.
    pool: OnceLock<Pool>,
}

struct Shared {
    hypervisor: Box<dyn Hypervisor>,
    /// The placement of what is in processes of its own, if it is said what those are like.
    in_worker: Option<Placement>,
    compilers: Compilers,
    choice: Choice,
    cache: Option<Cache>,
    jailed: bool,
    apart: bool,
    /// Files of the cache that are being written.
    writes: Group,
    pool: Option<Ahead>,
    permits: Semaphore,
    /// None without admission.
    gate: Option<Gate>,
    /// Watches the memory pressure, from the first of several programs on.
    monitor: OnceLock<PressureMonitor>,
    observer: Arc<dyn Observer>,
    /// VMs that programs run in.
    running: Mutex<BTreeMap<u64, CancelHandle>>,
    cancelled: AtomicBool,
    at_once: AtomicUsize,
    /// How many ran at once, at most.
    most: AtomicUsize,
    /// Programs that were submitted.
    group: Group,
}

/// What an engine was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// How many programs ran at once, at most.
    pub at_once: usize,
    /// VMs that were made ahead.
    pub ahead: PoolCounts,
    /// Compilers.
    pub compilers: CompilerCounts,
    /// Code from the cache.
    pub cache: CacheCounts,
}

/// In which process a program's VM is, and what becomes of that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// In one of its own, or in this one, which stays what it is.
    OneOfMany,
    /// In this one, which is jailed with it, if the engine jails.
    ForGood,
}

impl Engine {
    /// Default settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// Runs a program to its end, on this thread, once its turn has come. Streams of the world
    /// that are this process's own are a worker's, too.
    ///
    /// The report's error is [`Error::Pressure`] when the machine is about to run out of memory and
    /// no program runs that could give some back.
    pub fn run(&self, program: Program) -> Report {
        let shared = &self.shared;
        match Turn::take(shared) {
            Ok(turn) => shared.run(program, turn.level, Mode::OneOfMany),
            Err(error) => Report::failed(error),
        }
    }

    /// Runs a program in this process, which is jailed before the program begins (unless the engine
    /// does not jail) and keeps its rights no longer: good for one program, and then for an end.
    /// Nothing is started for it but a compiler, if it is needed. A process of several threads is
    /// jailed less completely: see [`Jail`](crate::Jail).
    pub fn run_for_good(self, program: Program) -> Report {
        let shared = &self.shared;
        let level = shared.gate.as_ref().map(|_| level_at_a_glance());
        if level == Some(PressureLevel::Critical) {
            return Report { pressure: level, ..Report::failed(Error::Pressure) };
        }
        let report = shared.run(program, level, Mode::ForGood);
        shared.writes.wait();
        report
    }

    /// Ends all programs, those that run and those that are still to begin, with
    /// [`Interruption::Cancelled`].
    pub fn cancel_all(&self) {
        self.shared.cancelled.store(true, Ordering::SeqCst);
        self.shared.running().values().for_each(CancelHandle::cancel_all);
    }

    /// What compiled code is for that programs of this engine run.
    pub fn target(&self) -> Target {
        self.shared.compilers.target()
    }

    /// Compiles a module, in a VM, within a time. Messages call it by `name`.
    ///
    /// # Errors
    ///
    /// As [`Compiler::compile`](crate::Compiler::compile).
    pub fn compile(
        &self,
        name: &str,
        module: &Module,
        target: Target,
        limit: Duration,
    ) -> Result<Module, Error> {
        let shared = &self.shared;
        shared.can_place()?;
        shared.compilers.compile(name, module, target, limit, true)
    }

    /// What it was good for so far.
    pub fn counts(&self) -> Counts {
        let shared = &self.shared;
        Counts {
            at_once: shared.most.load(Ordering::Relaxed),
            ahead: shared.ahead().map(Pool::counts).unwrap_or_default(),
            compilers: shared.compilers.counts(),
            cache: shared.cache.as_ref().map(Cache::counts).unwrap_or_default(),
        }
    }
}

/// A program's turn, until this is dropped: it has a permit, and was let in at the gate.
struct Turn {
    shared: Arc<Shared>,
    level: Option<PressureLevel>,
}

impl Turn {
    /// Waits for it.
    fn take(shared: &Arc<Shared>) -> Result<Self, Error> {
        shared.watch_pressure();
        shared.permits.wait();
        let entered = match shared.cancelled.load(Ordering::SeqCst) {
            true => Err(Error::Interrupted(Interruption::Cancelled)),
            false => shared.gate.as_ref().map(Gate::enter).transpose(),
        };
        match entered {
            Ok(level) => Ok(Self { shared: Arc::clone(shared), level }),
            Err(error) => {
                shared.permits.signal();
                Err(error)
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(gate) = &self.shared.gate {
            gate.leave();
        }
        self.shared.permits.signal();
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, BTreeMap<u64, CancelHandle>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ahead(&self) -> Option<&Pool> {
        self.pool.as_ref().and_then(|ahead| ahead.pool.get())
    }

    /// Has the gate looked at again when the pressure changes, and the level known at any time.
    fn watch_pressure(self: &Arc<Self>) {
        if self.gate.is_none() {
            return;
        }
        self.monitor.get_or_init(|| {
            let monitor = PressureMonitor::new();
            let engine = Arc::downgrade(self);
            monitor.on_pressure(move |level| {
                let Some(engine) = engine.upgrade() else { return };
                engine.relieve(level);
                if let Some(gate) = &engine.gate {
                    gate.look_again();
                }
            });
            if let Err(error) = monitor.start() {
                // The gate asks now and then by itself.
                tracing::warn!("{error}");
            }
            monitor
        });
    }

    /// Gives up what was kept for later, as memory is short.
    fn relieve(&self, level: PressureLevel) {
        if let Some(pool) = self.ahead() {
            pool.relieve(level);
        }
        if level != PressureLevel::Normal {
            self.compilers.relieve();
            // Code that no program uses.
            wrt_platform::memory::purge_all();
        }
    }

    /// Checks that guests can be where they belong.
    fn can_place(&self) -> Result<(), Error> {
        match self.in_worker.is_none() && (self.jailed || self.apart) {
            true => Err(Error::Setting(
                "a jailed guest has a process of its own, and it is not said which program that \
                 runs: name one by `EngineBuilder::workers`, or do without by `.jail(false)`"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Where a program's VM is.
    fn placement(&self, mode: Mode) -> Placement {
        let apart = match mode {
            Mode::OneOfMany => self.apart || self.jailed || self.hypervisor.one_vm_a_process(),
            Mode::ForGood => self.apart,
        };
        match &self.in_worker {
            Some(worker) if apart => worker.clone(),
            _ => Placement::Here,
        }
    }

    /// Runs a program whose turn it is.
    fn run(&self, program: Program, level: Option<PressureLevel>, mode: Mode) -> Report {
        self.most.fetch_max(self.at_once.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let mut draft = Draft::begin(level);
        let ended = Running::run(self, mode, program, &mut draft);
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        draft.end(ended)
    }
}

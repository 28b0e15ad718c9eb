//! One program, from its module's bytes to its end.

use super::choice::{Chooser, Chosen};
use super::notice::Notice;
use super::program::{Entry, Limits, Program};
use super::report::{Draft, Ended};
use super::{Mode, Shared};
use crate::engine::pool::Pool;
use crate::engine::vm::{Builder, Instance, MicroVm};
use crate::error::Error;
use crate::module::Module;
use crate::placement::{Entrance, Jail, Placement};
use crate::world::WasiConfig;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use wrt_abi::EngineKind;
use wrt_platform::citizen::{Activity, Kind};
use wrt_platform::dispatch::QosClass;

/// A program on its way.
pub(super) struct Running<'a> {
    engine: &'a Shared,
    mode: Mode,
    name: String,
    limits: Limits,
    qos: QosClass,
    deadline: Option<Instant>,
    entry: Option<Entry>,
}

impl<'a> Running<'a> {
    /// Runs a program to its end.
    pub(super) fn run(
        engine: &'a Shared,
        mode: Mode,
        program: Program,
        draft: &mut Draft,
    ) -> Result<Ended, Error> {
        engine.can_place()?;
        let Program { name, prepare, limits, qos, entry } = program;
        let deadline = limits.time.and_then(|time| Instant::now().checked_add(time));
        let mut running = Self { engine, mode, name, limits, qos, deadline, entry };
        let (module, world) = draft.step("read", prepare)?;
        running.run_module(module, &world, draft)
    }

    fn run_module(
        &mut self,
        module: Module,
        world: &WasiConfig,
        draft: &mut Draft,
    ) -> Result<Ended, Error> {
        let chosen = draft.step("choose", || self.chooser().choose(module.clone()))?;
        let ended = self.run_as(&chosen, world, draft);
        match (&self.engine.cache, &ended) {
            (Some(cache), Err(Error::UnusableArtifact(_))) if chosen.from_cache => {
                // Another hand has put it there: the cache is as good as empty.
                cache.remove(&chosen.module);
                if self.jails() {
                    // In here nothing can be compiled any more.
                    let reason = "it had something else for this module, and has it no more: run \
                                  it again";
                    let dir = cache.path().to_owned();
                    return Err(Error::Cache { dir, reason: reason.to_owned() });
                }
                let chosen = self.chooser().choose(module)?;
                self.run_as(&chosen, world, draft)
            }
            _ => ended,
        }
    }

    /// Whether this process enters a jail with the program.
    fn jails(&self) -> bool {
        self.engine.jailed && matches!(self.engine.placement(self.mode), Placement::Here)
    }

    fn chooser(&self) -> Chooser<'_> {
        let engine = self.engine;
        Chooser {
            compilers: &engine.compilers,
            stay: self.mode == Mode::OneOfMany,
            choice: engine.choice,
            cache: engine.cache.as_ref(),
            // A jail takes the cache from threads, too.
            writes: (!self.jails()).then_some(&engine.writes),
            observer: &engine.observer,
            name: &self.name,
            deadline: self.deadline,
        }
    }

    fn run_as(
        &mut self,
        chosen: &Chosen,
        world: &WasiConfig,
        draft: &mut Draft,
    ) -> Result<Ended, Error> {
        let entrance = self.jails().then(|| self.close_names(chosen, world)).transpose()?;
        // Inside, directories are what the jail has kept open of them.
        let world = entrance.as_ref().map_or_else(|| world.clone(), Entrance::world);
        let mut vm = draft.step("create", || self.vm(chosen.engine, world))?;
        vm.set_deadline(self.deadline);
        if let Some(entrance) = entrance {
            let jailed = draft.step("jail", || entrance.enter(&vm))?;
            if !jailed.is_complete() {
                tracing::warn!("the jail is {jailed}");
            }
            draft.jailed(jailed.to_string());
        }
        self.engine.observer.notice(&self.name, &Notice::Begins);
        let cancelled = Cancellable::new(self.engine, &vm);
        let ended = self.run_in(&mut vm, &chosen.module, draft);
        drop(cancelled);
        draft.ran_in(&vm, chosen.why);
        ended
    }

    fn close_names(&self, chosen: &Chosen, world: &WasiConfig) -> Result<Entrance, Error> {
        let jail = Jail::of(world);
        let jail = match &self.engine.cache {
            Some(cache) if chosen.from_cache => jail.forgetting(cache),
            _ => jail,
        };
        jail.close_names()
    }

    /// A VM for the program: one that was made ahead, if it suits.
    fn vm(&self, kind: EngineKind, world: WasiConfig) -> Result<MicroVm, Error> {
        match self.engine.pool_for(kind, self.limits) {
            Some(pool) => pool.take(world),
            None => self
                .engine
                .settings(kind, self.limits, self.mode)
                .wasi(world)
                .deadline(self.deadline)
                .build_on(self.engine.hypervisor.as_ref()),
        }
    }

    fn run_in(
        &mut self,
        vm: &mut MicroVm,
        module: &Module,
        draft: &mut Draft,
    ) -> Result<Ended, Error> {
        // A hint: without it the program runs as well.
        let _activity = Activity::begin(activity(self.qos), "runs a WebAssembly program");
        let kind = vm.engine();
        let loaded =
            draft.step("load", || vm.load(module)).map_err(|error| refused(kind, error))?;
        let instance = draft.step("instantiate", || vm.instantiate(loaded));
        let instance = instance.map_err(|error| refused(kind, error));
        let entry = self.entry.take();
        let ran = instance.and_then(|instance| {
            draft.step("run", || match entry {
                Some(entry) => entry(vm, instance),
                None => run_program(vm, instance).map_err(|error| refused(kind, error)),
            })
        });
        match ran {
            Ok(()) => Ok(Ended::Returned),
            Err(Error::Exit(code)) => Ok(Ended::Exited(code)),
            Err(error) => Err(error),
        }
    }
}

/// The error of a module that an engine did not take. The interpreter has limits of its own, which
/// it puts into words.
fn refused(kind: EngineKind, error: Error) -> Error {
    match (kind, error) {
        (EngineKind::Interp, Error::Failed(reason)) => Error::CannotInterpret(reason),
        (_, error) => error,
    }
}

/// Runs an instance; says what it exports if that is no program.
fn run_program(vm: &mut MicroVm, instance: Instance) -> Result<(), Error> {
    let ran = vm.run(instance);
    if !matches!(ran, Err(Error::NoSuchExport(_))) {
        return ran;
    }
    let functions = vm.function_names(instance)?;
    Err(Error::NotAProgram { functions })
}

impl Shared {
    /// Settings of a program's VM.
    fn settings(&self, kind: EngineKind, limits: Limits, mode: Mode) -> Builder {
        MicroVm::builder()
            .engine(kind)
            .max_memory(limits.max_memory)
            .max_stack(limits.max_stack)
            .placement(self.placement(mode))
    }

    /// The VMs that were made ahead, if they are of this kind.
    fn pool_for(&self, kind: EngineKind, limits: Limits) -> Option<&Pool> {
        let ahead = self.pool.as_ref()?;
        let alike = limits.max_memory == ahead.limits.max_memory
            && limits.max_stack == ahead.limits.max_stack;
        (alike && kind == self.usual_engine()).then(|| self.pool()).flatten()
    }

    /// The engine that nearly all programs get.
    fn usual_engine(&self) -> EngineKind {
        match self.choice {
            super::Choice::Interp => EngineKind::Interp,
            super::Choice::Native | super::Choice::Auto => EngineKind::Native,
        }
    }

    /// How many VMs are made ahead.
    pub(super) fn vms_ahead(&self) -> usize {
        self.pool.as_ref().map_or(0, |ahead| ahead.vms)
    }

    /// The VMs that were made ahead; the first to ask has the making begun.
    pub(super) fn pool(&self) -> Option<&Pool> {
        let ahead = self.pool.as_ref()?;
        Some(ahead.pool.get_or_init(|| {
            let settings = self.settings(self.usual_engine(), ahead.limits, Mode::OneOfMany);
            Pool::new(settings, self.hypervisor.as_ref(), ahead.vms)
        }))
    }
}

/// What the system is told of a program that is so urgent.
fn activity(qos: QosClass) -> Kind {
    match qos {
        QosClass::Background | QosClass::Utility => Kind::Background,
        QosClass::Default | QosClass::UserInitiated => Kind::UserInitiated,
        QosClass::UserInteractive => Kind::LatencyCritical,
    }
}

/// A VM that the engine's end ends, until this is dropped.
struct Cancellable<'a> {
    engine: &'a Shared,
    number: u64,
}

impl<'a> Cancellable<'a> {
    fn new(engine: &'a Shared, vm: &MicroVm) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (number, handle) = (NEXT.fetch_add(1, Ordering::Relaxed), vm.cancel_handle());
        let mut running = engine.running();
        if engine.cancelled.load(Ordering::SeqCst) {
            handle.cancel_all();
        }
        running.insert(number, handle);
        Self { engine, number }
    }
}

impl Drop for Cancellable<'_> {
    fn drop(&mut self) {
        self.engine.running().remove(&self.number);
    }
}

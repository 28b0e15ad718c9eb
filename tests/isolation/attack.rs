//! What an attack has at hand: evil guests, honest guests for evil modules, and their ends.

use super::arch::{self, Processor};
use super::canary::Canaries;
use super::host::WORLD;
use super::orders::{self, Orders};
use anyhow::{Result, bail, ensure};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_abi::services::wasi::FunctionId;
use wrt_tests::Setup;
use wrt_vm::error::{Interruption, VmEnd};
use wrt_vm::hypervisor::Exit;
use wrt_vm::vm::Builder;
use wrt_vm::{Backend, EngineKind, Error, MicroVm, Module, Snapshot, Value, WasiConfig};

/// When a program of the evil guest ends, whatever it does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
/// The same where the processor is a program.
const SLOW_DEADLINE: Duration = Duration::from_secs(30);
/// When a module in an honest guest ends, which has work to do, on a busy machine.
const LONG_DEADLINE: Duration = Duration::from_secs(60);
/// How much later than its deadline a call may end, on a busy machine.
pub(crate) const LATE: Duration = Duration::from_secs(10);

/// An attack that is being made.
pub(crate) struct Attack {
    pub(crate) setup: Setup,
    canaries: Vec<Canaries>,
    /// How it ended, for the report.
    pub(crate) end: String,
    pub(crate) exits: u64,
    /// What holds everywhere but here, because of the machine's own hypervisor.
    pub(crate) gap: Option<String>,
}

/// An evil guest.
pub(crate) struct Evil {
    pub(crate) vm: MicroVm,
    /// When its programs end, whatever they do.
    deadline: Duration,
}

impl Evil {
    /// Has it run orders, and returns what they reported.
    pub(crate) fn run(&mut self, orders: &Orders) -> Result<Vec<u64>, Error> {
        let loaded = self.load(orders)?;
        let instance = self.vm.instantiate(loaded)?;
        let report = self.vm.function(instance, "report")?;
        let values = self.vm.call(&report, &[])?;
        Ok(values
            .into_iter()
            .map(|value| match value {
                Value::I64(word) => word.cast_unsigned(),
                _ => 0,
            })
            .collect())
    }

    /// The same, to an end that comes at the latest then.
    pub(crate) fn run_for(&mut self, limit: Duration, orders: &Orders) -> Result<Vec<u64>, Error> {
        let usual = std::mem::replace(&mut self.deadline, limit);
        let result = self.run(orders);
        self.deadline = usual;
        result
    }

    /// Has it run orders.
    pub(crate) fn load(&mut self, orders: &Orders) -> Result<wrt_vm::vm::LoadedModule, Error> {
        self.vm.set_deadline(Some(Instant::now() + self.deadline));
        self.vm.load(&orders.module()?)
    }
}

impl Attack {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, canaries: Vec::new(), end: String::new(), exits: 0, gap: None }
    }

    /// Whether the guest has a ring 0 of its own.
    pub(crate) fn has_rings(&self) -> bool {
        self.setup.backend != Backend::Process
    }

    /// The processor of its guests.
    pub(crate) fn processor(&self) -> &'static Processor {
        arch::of(self.setup)
    }

    /// Whether a guest may execute what it writes, by page tables of its own. Apple's hypervisor
    /// is told that it may not; KVM knows no such right.
    pub(crate) fn executes_data(&self) -> bool {
        self.setup.backend == Backend::Kvm
    }

    /// Whether this process has one VM at most.
    pub(crate) fn one_vm(&self) -> Result<bool> {
        Ok(self.setup.backend.open()?.one_vm_a_process())
    }

    /// Settings for the guest that attacks.
    fn builder(&self) -> Builder {
        MicroVm::builder().backend(self.setup.backend).max_memory(64 << 20)
    }

    /// An evil guest.
    pub(crate) fn evil(&mut self) -> Result<Evil> {
        self.evil_in(&Orders::new(), WasiConfig::new())
    }

    /// An evil guest that does something before its first call, in a world.
    pub(crate) fn evil_in(&mut self, boot: &Orders, world: WasiConfig) -> Result<Evil> {
        let image = orders::image(self.processor().arch, boot)?;
        let builder = self.builder().guest_image(image).wasi(world);
        self.evil_by(|| builder.build())
    }

    /// An evil guest that goes on from a snapshot of one.
    pub(crate) fn evil_from(&mut self, snapshot: &Snapshot) -> Result<Evil> {
        self.evil_by(|| snapshot.vm(WasiConfig::new()))
    }

    fn evil_by(&mut self, make: impl FnOnce() -> Result<MicroVm, Error>) -> Result<Evil> {
        let (vm, canaries) = Canaries::around(|| Ok(make()?))?;
        self.canaries.push(canaries);
        let deadline = if self.setup.is_simulated() { SLOW_DEADLINE } else { DEADLINE };
        Ok(Evil { vm, deadline })
    }

    /// An honest guest, for an evil module.
    pub(crate) fn honest(&mut self, world: WasiConfig) -> Result<MicroVm> {
        self.honest_with(world, |builder| builder)
    }

    /// The same with settings of the attack's.
    pub(crate) fn honest_with(
        &mut self,
        world: WasiConfig,
        settings: impl FnOnce(Builder) -> Builder,
    ) -> Result<MicroVm> {
        let builder = settings(self.setup.builder().max_memory(64 << 20).wasi(world));
        let mut vm = match self.one_vm()? {
            // In a worker, to whose memory nothing can be added from here.
            true => builder.build()?,
            false => {
                let (vm, canaries) = Canaries::around(|| Ok(builder.build()?))?;
                self.canaries.push(canaries);
                vm
            }
        };
        vm.set_deadline(Some(Instant::now() + LONG_DEADLINE));
        Ok(vm)
    }

    /// Runs the export `run` of a module in its text form.
    pub(crate) fn run_text(&mut self, vm: &mut MicroVm, text: &str) -> Result<Vec<Value>, Error> {
        let loaded = vm.load(&Module::from_text(text)?)?;
        let instance = vm.instantiate(loaded)?;
        let run = vm.function(instance, "run")?;
        vm.call(&run, &[])
    }

    /// Has an evil guest run orders that must be its end, of this kind; then a reset must make
    /// an obedient guest of it again.
    pub(crate) fn ends(
        &mut self,
        evil: &mut Evil,
        orders: &Orders,
        expected: impl Fn(&VmEnd) -> bool,
    ) -> Result<()> {
        match evil.load(orders) {
            Err(Error::Ended(end)) => {
                self.note(&end);
                ensure!(expected(&end), "the VM ended otherwise than expected: {end}");
            }
            Err(error) => bail!("the VM did not end, the call did: {error}"),
            Ok(_) => bail!("the VM did not end"),
        }
        match evil.load(&Orders::new()) {
            Err(Error::Ended(VmEnd::Earlier)) => {}
            other => bail!("a VM that ended goes on: {other:?}"),
        }
        self.works(evil)
    }

    /// Has an evil guest run orders that it must survive, and returns what they reported.
    pub(crate) fn survives(&mut self, evil: &mut Evil, orders: &Orders) -> Result<Vec<u64>> {
        match evil.run(orders) {
            Ok(report) => {
                self.note(&"survived");
                Ok(report)
            }
            Err(error) => bail!("the orders had an end: {error}"),
        }
    }

    /// The same after a reset.
    pub(crate) fn survives_anew(&mut self, evil: &mut Evil, orders: &Orders) -> Result<Vec<u64>> {
        evil.vm.reset()?;
        self.survives(evil, orders)
    }

    /// Has an evil guest run orders that only its deadline ends.
    pub(crate) fn times_out(&mut self, evil: &mut Evil, orders: &Orders) -> Result<()> {
        const LIMIT: Duration = Duration::from_millis(500);
        let started = Instant::now();
        evil.vm.set_deadline(Some(started + LIMIT));
        let ended = evil.vm.load(&orders.module()?);
        let took = started.elapsed();
        match ended {
            Err(Error::Interrupted(Interruption::TimedOut)) => self.note(&"timed out"),
            other => bail!("no deadline ended it: {other:?}"),
        }
        ensure!(took < LIMIT + LATE, "the deadline came {took:?} late");
        self.works(evil)
    }

    /// Has an evil guest run orders at whose end it waits for an interrupt. That ends it, but
    /// where the system itself waits with an Arm: there its deadline does.
    pub(crate) fn halts(&mut self, evil: &mut Evil, orders: &Orders) -> Result<()> {
        match self.setup.backend == Backend::Kvm && self.setup.is_arm() {
            true => self.times_out(evil, orders),
            false => self.ends(evil, orders, by_exit(|exit| exit == Exit::Halt)),
        }
    }

    /// Has an evil guest run orders that leave it an endless loop of exceptions, or nothing to
    /// go on with: what an x86 gives up on, an Arm tries for ever.
    pub(crate) fn is_lost(
        &mut self,
        evil: &mut Evil,
        orders: &Orders,
        expected: impl Fn(&VmEnd) -> bool,
    ) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(2);
        evil.vm.set_deadline(Some(Instant::now() + LIMIT));
        match evil.vm.load(&orders.module()?) {
            Err(Error::Ended(end)) if expected(&end) => self.note(&end),
            Err(Error::Interrupted(Interruption::TimedOut)) if self.setup.is_arm() => {
                self.note(&"timed out");
            }
            other => bail!("it has another end than expected: {other:?}"),
        }
        self.works(evil)
    }

    /// Has an evil guest run orders of which anything may come, at the latest after `limit`, but a
    /// failure of the hypervisor.
    pub(crate) fn may_end(
        &mut self,
        evil: &mut Evil,
        limit: Duration,
        orders: &Orders,
    ) -> Result<()> {
        evil.vm.set_deadline(Some(Instant::now() + limit));
        match evil.vm.load(&orders.module()?) {
            Ok(_) => self.note(&"survived"),
            Err(Error::Interrupted(_)) => self.note(&"timed out"),
            Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => self.note(&end),
            Err(error) => return Err(error.into()),
        }
        self.works(evil)
    }

    /// After a reset, the guest boots and obeys.
    pub(crate) fn works(&mut self, evil: &mut Evil) -> Result<()> {
        evil.vm.reset()?;
        let report = evil.run(&Orders::new().set(3, 42).report(3, 1))?;
        ensure!(report == [42], "after a reset the guest is another: {report:?}");
        Ok(())
    }

    /// Says how it ended.
    pub(crate) fn note(&mut self, end: &dyn fmt::Display) {
        self.end = end.to_string();
    }

    /// Has the process make what it makes once, at the first wait of a guest: threads and
    /// descriptors of the runtime that waits.
    pub(crate) fn warm_up(&mut self, evil: &mut Evil) -> Result<()> {
        let memory = Orders::new().call(Call::RegionReserve, 0, &[4096]).report(14, 1);
        let base = self.survives(evil, &memory)?[0];
        // One subscription, of zeros: a sleep of no time.
        let sleep = FunctionId::PollOneoff.import();
        self.survives(evil, &Orders::new().function(sleep, base, 4096, &[0, 64, 1, 512]))?;
        self.works(evil)
    }

    /// Takes note of something that the processor denies to guests where it runs them itself.
    ///
    /// # Errors
    ///
    /// Where it does: it is a boundary that does not hold then.
    pub(crate) fn gap(&mut self, what: String) -> Result<()> {
        let processor = std::fs::read_to_string("/proc/cpuinfo")?;
        let by_hardware = processor.split_whitespace().any(|word| word == "vmx" || word == "svm");
        ensure!(!by_hardware || self.setup.backend != Backend::Kvm, "{what}");
        self.gap = Some(format!("{what}: this KVM does without the processor's help"));
        Ok(())
    }

    /// The same of something that Linux has the processor deny, and that QEMU, when that is the
    /// processor of the machine, does not ask about.
    ///
    /// # Errors
    ///
    /// On any other processor.
    pub(crate) fn gap_of_qemu(&mut self, what: String) -> Result<()> {
        ensure!(self.is_kvm_in_qemu()?, "{what}");
        self.gap = Some(format!("{what}: the machine is QEMU's"));
        Ok(())
    }

    /// Whether the machine, whose KVM this is, is an Arm of QEMU's.
    pub(crate) fn is_kvm_in_qemu(&self) -> Result<bool> {
        let processor = std::fs::read_to_string("/proc/cpuinfo")?;
        // Its `max` is made by nobody.
        let is_qemu = processor
            .lines()
            .any(|line| line.starts_with("CPU implementer") && line.trim_end().ends_with(": 0x00"));
        Ok(is_qemu && self.setup.backend == Backend::Kvm)
    }

    /// Counts exits for the report.
    pub(crate) fn count(&mut self, vm: &MicroVm) {
        self.exits += vm.usage().exits.total();
    }

    /// Takes all canaries away: they are of the harness's, and not of what is left behind.
    pub(crate) fn forget_canaries(&mut self) {
        self.canaries.clear();
    }

    /// Looks at all canaries.
    pub(crate) fn check(&self) -> Result<()> {
        self.canaries.iter().try_for_each(Canaries::check)
    }
}

/// A folder that is the guest's, and is not counted as left behind.
pub(crate) fn world_folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(WORLD);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Whether a VM ended by an exit of this kind.
pub(crate) fn by_exit(expected: impl Fn(Exit) -> bool) -> impl Fn(&VmEnd) -> bool {
    move |end| matches!(end, VmEnd::BadExit(exit) if expected(*exit))
}

/// Whether a VM ended by breaking the mailbox's rules.
pub(crate) fn by_protocol(end: &VmEnd) -> bool {
    matches!(end, VmEnd::Protocol(_))
}

/// Whether a guest can make this error by an answer: it may claim any [`wrt_abi::Reply`].
pub(crate) fn by_answer(error: &Error) -> bool {
    match error {
        Error::Failed(_)
        | Error::TooLong(_)
        | Error::Trap(_)
        | Error::Exit(_)
        | Error::InvalidModule { .. }
        | Error::Unlinkable { .. }
        | Error::Unsupported { .. }
        | Error::MemoryLimit { .. }
        | Error::NoSuchExport(_)
        | Error::TypeMismatch(_)
        | Error::Component(_)
        | Error::UnusableArtifact(_) => true,
        // An allocation that failed on the host has the system's error number.
        Error::Memory(error) => error.raw_os_error().is_none(),
        _ => false,
    }
}

/// Whether a VM ended by touching what is not there.
pub(crate) fn by_access(end: &VmEnd) -> bool {
    matches!(end, VmEnd::BadAccess { .. })
}

/// Whether a VM ended by an exception that its handlers had no answer to: reported, or the
/// processor gave up.
pub(crate) fn by_exception(end: &VmEnd) -> bool {
    matches!(
        end,
        VmEnd::Exception(_) | VmEnd::StackOverflow { .. } | VmEnd::BadExit(Exit::TripleFault)
    )
}

/// The engine is a part of the setup that an evil guest has no use for.
pub(crate) const NO_ENGINE: EngineKind = EngineKind::Interp;

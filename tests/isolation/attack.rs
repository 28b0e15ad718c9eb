//! What an attack has at hand: evil guests, honest guests for evil modules, and their ends.

use super::canary::Canaries;
use super::host::WORLD;
use super::orders::{self, Orders};
use anyhow::{Result, bail, ensure};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_abi::wasi::FunctionId;
use wrt_tests::Setup;
use wrt_vm::hypervisor::Exit;
use wrt_vm::{
    Backend, Builder, EngineKind, Error, Interruption, MicroVm, Module, Value, VmEnd, WasiConfig,
};

/// When a program of the evil guest ends, whatever it does.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
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

    /// Has it run orders.
    pub(crate) fn load(&mut self, orders: &Orders) -> Result<wrt_vm::LoadedModule, Error> {
        self.vm.set_deadline(Some(Instant::now() + DEADLINE));
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
        let builder = self.builder().guest_image(orders::image(boot)?).wasi(world);
        let (vm, canaries) = Canaries::around(|| Ok(builder.build()?))?;
        self.canaries.push(canaries);
        Ok(Evil { vm })
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
        let (mut vm, canaries) = Canaries::around(|| Ok(builder.build()?))?;
        self.canaries.push(canaries);
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
        let sleep = [FunctionId::PollOneoff as u64, base, 4096, 0, 64, 1, 512];
        self.survives(evil, &Orders::new().call(Call::Wasi, 0, &sleep))?;
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

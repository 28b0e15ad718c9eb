//! Random programs for the evil guest, through a real VM.
//!
//! The host process notes which program it is about to run, so that its death names one. A
//! program is made from a number alone, so that the number is as good as the program.

mod generate;

use super::arch;
use super::attack::{Attack, Evil, by_answer};
use super::judge::{Footprint, Panics};
use super::neighbour::{Sleeping, Working};
use super::orders::Orders;
use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use generate::program;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use wrt_tests::{Setup, matrix};
use wrt_vm::error::VmEnd;
use wrt_vm::{EngineKind, Error, WasiConfig};

/// When a random program ends, whatever it does.
const DEADLINE: Duration = Duration::from_secs(2);
/// The same on an Arm, which has no other end when its handlers fail: many a program comes to it.
const ARM_DEADLINE: Duration = Duration::from_millis(500);
/// Programs between two looks at the whole host.
const ROUND: u64 = 100;

/// What to try, and for how long.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// How long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Ends when there were so many exits, too.
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    exits: u64,
    /// Number of the first program.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// On which backend.
    #[arg(long, value_name = "BACKEND", default_value = "kvm")]
    on: String,
    /// Runs this program, of a file, and no others.
    #[arg(long, value_name = "FILE")]
    orders: Option<PathBuf>,
    /// Writes the program of the first number into a file, and runs none.
    #[arg(long, value_name = "FILE", conflicts_with = "orders")]
    save: Option<PathBuf>,
}

impl Settings {
    /// Where guests run; the engine is none of theirs.
    fn setup(&self) -> Result<Setup> {
        matrix()
            .into_iter()
            .find(|setup| setup.backend.name() == self.on && setup.engine == EngineKind::Interp)
            .with_context(|| format!("no {} here", self.on))
    }
}

/// The same for the process in which programs run.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostSettings {
    #[command(flatten)]
    settings: Settings,
    /// Where the number of the program is noted.
    #[arg(long)]
    status: PathBuf,
}

/// Runs programs in a process of their own, and says what became of it.
pub(crate) fn run(settings: &Settings) -> Result<ExitCode> {
    let processor = arch::of(settings.setup()?);
    if let Some(path) = &settings.save {
        std::fs::write(path, program(settings.seed, processor).file())?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir()?;
    // Not among the temporary files of the host, which are counted.
    let (status, temporary) = (folder.path().join("status"), folder.path().join("tmp"));
    std::fs::create_dir(&temporary)?;
    let mut host = Command::new(std::env::current_exe()?);
    host.arg("fuzz-host")
        .args(["--seconds", &settings.seconds.to_string()])
        .args(["--exits", &settings.exits.to_string()])
        .args(["--seed", &settings.seed.to_string()])
        .args(["--on", &settings.on])
        .arg("--status")
        .arg(&status)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null());
    if let Some(orders) = &settings.orders {
        host.arg("--orders").arg(orders);
    }
    let ended = host.status()?;
    if ended.success() {
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(signal) = ended.signal() {
        println!("FAILED: the host process died of signal {signal}");
    }
    if settings.orders.is_none() {
        let number = noted(&status)?;
        let path = PathBuf::from(format!("evil-{number}.orders"));
        std::fs::write(&path, program(number, processor).file())?;
        println!("program {number}, in {}:", path.display());
        println!("  wrt-vm-isolation fuzz --on {} --orders {}", settings.on, path.display());
    }
    Ok(ExitCode::FAILURE)
}

fn noted(status: &Path) -> Result<u64> {
    let bytes = std::fs::read(status).context("the host process noted no program")?;
    Ok(u64::from_le_bytes(bytes.as_slice().try_into()?))
}

/// The host process.
pub(crate) fn host(settings: &HostSettings) -> Result<ExitCode> {
    let HostSettings { settings, status } = settings;
    let setup = settings.setup()?;
    // Open before anything is counted.
    let status = std::fs::File::create(status)?;
    let mut fuzz = Fuzz::new(setup)?;
    let result = fuzz.run(settings, &status);
    for (end, count) in &fuzz.ends {
        println!("  {count:>9} {end}");
    }
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            println!("FAILED: {error:#}");
            Ok(ExitCode::FAILURE)
        }
    }
}

struct Fuzz {
    setup: Setup,
    attack: Attack,
    evil: Evil,
    neighbours: [Working; 2],
    sleeping: Sleeping,
    panics: Panics,
    before: Footprint,
    /// How programs ended, and how many did so.
    ends: BTreeMap<&'static str, u64>,
}

impl Fuzz {
    fn new(setup: Setup) -> Result<Self> {
        let panics = Panics::install();
        let sleeping = Sleeping::new(setup)?;
        let neighbours = [
            Working::start(Setup { engine: EngineKind::Interp, ..setup })?,
            Working::start(Setup { engine: EngineKind::Native, ..setup })?,
        ];
        let mut attack = Attack::new(setup);
        let mut evil = attack.evil_in(&Orders::new(), fuzz_world())?;
        attack.warm_up(&mut evil)?;
        let before = Footprint::take()?;
        Ok(Self {
            setup,
            attack,
            evil,
            neighbours,
            sleeping,
            panics,
            before,
            ends: BTreeMap::new(),
        })
    }

    fn run(&mut self, settings: &Settings, status: &std::fs::File) -> Result<()> {
        let started = Instant::now();
        let (mut programs, mut exits, mut said) = (0_u64, 0_u64, started);
        let already = self.evil.vm.usage().exits.total();
        while started.elapsed().as_secs() < settings.seconds && exits < settings.exits {
            let number = settings.seed.wrapping_add(programs);
            let orders = match &settings.orders {
                Some(path) => Orders::from_file(path)?,
                None => program(number, arch::of(self.setup)),
            };
            status.write_all_at(&number.to_le_bytes(), 0)?;
            self.try_program(&orders)?;
            programs += 1;
            exits = self.evil.vm.usage().exits.total() - already;
            if programs.is_multiple_of(ROUND) {
                self.look().context("after a round of programs, of which this is the last")?;
            }
            if said.elapsed() > Duration::from_secs(10) {
                said = Instant::now();
                report(programs, exits, started);
            }
            if settings.orders.is_some() {
                break;
            }
        }
        self.look()?;
        report(programs, exits, started);
        Ok(())
    }

    fn try_program(&mut self, orders: &Orders) -> Result<()> {
        let module = orders.module()?;
        let begun = Instant::now();
        let limit = if self.setup.is_arm() { ARM_DEADLINE } else { DEADLINE };
        self.evil.vm.set_deadline(Some(begun + limit));
        let ended = self.evil.vm.load(&module);
        let late = begun.elapsed().saturating_sub(limit);
        ensure!(late < super::attack::LATE, "it ended {late:?} after its deadline");
        let end = match ended {
            Ok(_) => "to the end",
            Err(Error::Interrupted(_)) => "timed out",
            Err(Error::Ended(end)) => name(&end)?,
            Err(error) if by_answer(&error) => "a false answer",
            Err(error) => bail!("it ended in an unforeseen way: {error}"),
        };
        *self.ends.entry(end).or_default() += 1;
        self.panics.check()?;
        self.evil.vm.reset().context("a reset")
    }

    /// The judgement of a case, while it all goes on.
    fn look(&mut self) -> Result<()> {
        self.attack.check()?;
        self.attack.works(&mut self.evil)?;
        self.evil.vm.reset()?;
        for neighbour in &self.neighbours {
            neighbour.passes(neighbour.steps())?;
        }
        self.sleeping.check().with_context(|| format!("{}", self.setup))?;
        Footprint::returns_to(&self.before)
    }
}

/// What a random program may see of the world.
fn fuzz_world() -> WasiConfig {
    WasiConfig::new().args(["evil", "argument"]).env("NAME", "value")
}

fn report(programs: u64, exits: u64, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = exits as f64 / seconds;
    println!("{programs} programs, {exits} exits in {seconds:.1} s: {rate:.0} a second");
    // Who reads this through a pipe reads it now.
    let _ = std::io::stdout().flush();
}

/// The kind of an end.
fn name(end: &VmEnd) -> Result<&'static str> {
    Ok(match end {
        VmEnd::Panic(_) => "panic",
        VmEnd::OutOfMemory { .. } => "out of memory",
        VmEnd::StackOverflow { .. } => "stack overflow",
        VmEnd::Exception(_) => "exception",
        VmEnd::BadAccess { .. } => "access to what is not there",
        VmEnd::SystemCall { .. } => "system call",
        VmEnd::BadExit(exit) => match exit {
            wrt_vm::hypervisor::Exit::Port { .. } => "port",
            wrt_vm::hypervisor::Exit::Halt => "halt",
            wrt_vm::hypervisor::Exit::TripleFault => "triple fault",
            wrt_vm::hypervisor::Exit::Killed { .. } => "its process was killed",
            wrt_vm::hypervisor::Exit::Failed { .. } => "the hypervisor gave up on it",
            _ => "another exit",
        },
        VmEnd::Protocol(_) => "protocol",
        VmEnd::AbiVersion { .. } => "version",
        VmEnd::Hypervisor(_) => "the hypervisor failed",
        other => bail!("a VM that was new ended so: {other}"),
    })
}

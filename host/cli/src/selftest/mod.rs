//! `wrt-vm selftest`: whether guests behave on this machine as on those that were tried.

mod programs;
mod trace;

use super::code;
use super::say::complain;
use anyhow::Context as _;
use clap::Args;
use programs::{Expected, PROGRAMS, Program};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use trace::Recorder;
use wrt_platform::text::{Line, Lines};
use wrt_vm::compiler::Target;
use wrt_vm::error::Interruption;
use wrt_vm::hypervisor::Hypervisor;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Backend, Compiler, EngineKind, Error, MicroVm, Module, WasiConfig};

/// Stack of Wasm calls: little, since the exits by which an interpreter's grows are compared, too.
const MAX_STACK: u64 = 4 << 20;
/// The exits that these programs cause on every machine that was tried.
const GOLDEN: &str = include_str!("golden.txt");
/// More than any program prints.
const OUTPUT_MAX: usize = 4096;
/// How long a program may run that never ends by itself.
const SPIN: Duration = Duration::from_millis(300);

/// Check that guests behave on this machine as they do elsewhere.
///
/// Runs small programs on both engines, each in a VM of its own: memory at its limits, vector
/// registers across exits, every kind of trap, a loop without an end. Checks what comes of
/// them, and compares the sequence of VM exits with one that was recorded on other machines
/// and is the same on all. Exit code 0 when everything is as expected.
#[derive(Args)]
pub(super) struct Selftest {
    /// What to check: `kvm`, `hvf`, `process`, or `auto`, the best of them that works.
    #[arg(long, default_value = "auto", value_parser = str::parse::<Backend>)]
    backend: Backend,

    /// Write the sequence of exits to a file, to attach to a report [default: none].
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// Compare with the exits in this file [default: those that wrt-vm knows].
    #[arg(long, value_name = "FILE")]
    golden: Option<PathBuf>,
}

impl Selftest {
    pub(super) fn execute(self) -> ExitCode {
        match self.run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(code::FAILED),
            Err(error) => {
                complain(format_args!("{error:#}"));
                ExitCode::from(code::FAILED)
            }
        }
    }

    fn run(&self) -> anyhow::Result<bool> {
        let golden = match &self.golden {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", Line(path.display())))?,
            None => GOLDEN.to_owned(),
        };
        let hypervisor = super::open(self.backend)?;
        let recorder = Recorder::install()?;
        say(format_args!(
            "wrt-vm {} on {} {}: guests for {} in {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            hypervisor.arch(),
            hypervisor.name(),
        ));
        let mut failed = 0;
        for engine in [EngineKind::Interp, EngineKind::Native] {
            for program in PROGRAMS {
                let result = check(program, engine, hypervisor.as_ref(), &recorder);
                failed += usize::from(result.is_err());
                let result =
                    result.map_or_else(|error| format!("FAILED: {error:#}"), |()| "ok".to_owned());
                say(format_args!("  {engine:<8}{:<14}{result}", program.name));
            }
        }
        let exits = recorder.text();
        if let Some(path) = &self.trace {
            std::fs::write(path, &exits)
                .with_context(|| format!("cannot write {}", Line(path.display())))?;
        }
        let difference = trace::difference(&golden, &exits);
        say(format_args!(
            "  exits: {}",
            difference.as_deref().unwrap_or("the same as on other machines")
        ));
        Ok(failed == 0 && difference.is_none())
    }
}

/// Runs a program and records its exits.
fn check(
    program: &Program,
    engine: EngineKind,
    hypervisor: &dyn Hypervisor,
    recorder: &Recorder,
) -> anyhow::Result<()> {
    let mut module = Module::from_text(program.text)?;
    if engine == EngineKind::Native {
        // In a VM as well, which is gone before the program's: there may be one at a time.
        let target = Target::of(hypervisor);
        module = Compiler::new(hypervisor)?.compile(&module, target)?;
    }
    recorder.begin(format_args!("{} {engine}", program.name));
    let ended = run(program, &module, engine, hypervisor);
    recorder.end();
    ended
}

fn run(
    program: &Program,
    module: &Module,
    engine: EngineKind,
    hypervisor: &dyn Hypervisor,
) -> anyhow::Result<()> {
    let printed = OutputBuffer::new(OUTPUT_MAX);
    let world = WasiConfig::new().stdout(Output::Capture(printed.clone()));
    let mut vm =
        MicroVm::builder().engine(engine).max_stack(MAX_STACK).wasi(world).build_on(hypervisor)?;
    let loaded = vm.load(module)?;
    let instance = vm.instantiate(loaded)?;
    if let Expected::Endless = program.expected {
        vm.set_deadline(Some(Instant::now() + SPIN));
    }
    let ended = vm.run(instance);
    match (&program.expected, ended) {
        (Expected::Prints(wanted), Ok(())) => {
            let printed = printed.contents();
            anyhow::ensure!(
                printed == wanted.as_bytes(),
                "it printed {:?}, not {wanted:?}",
                String::from_utf8_lossy(&printed)
            );
            Ok(())
        }
        (Expected::Traps(wanted), Err(Error::Trap(trap))) if trap.kind == *wanted => Ok(()),
        (Expected::Endless, Err(Error::Interrupted(Interruption::TimedOut))) => Ok(()),
        (_, Ok(())) => anyhow::bail!("it came to its end"),
        (_, Err(error)) => Err(error.into()),
    }
}

/// Writes a line to standard output; a closed one is nobody's fault.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{}", Lines(line));
}

//! `wrt-vm doctor`: what this machine offers, and how to get what is missing.

use super::code;
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;
use wrt_platform::availability::Availability;
use wrt_platform::text::{Lines, harmless_json};
use wrt_platform::{
    citizen, code as code_memory, dispatch, entitlements, lock, log, memory, pressure, sandbox,
    trace, vector,
};
use wrt_vm::hypervisor::{available, details};
use wrt_vm::worker::in_workers;
use wrt_vm::{Backend, EngineKind, MicroVm, Module};

/// Say what this machine offers and, for what is missing, how to get it.
///
/// Makes a VM with each hypervisor and runs a program in it; then lists the operating system's
/// parts that wrt-vm uses, and by which interface. Exit code 0 when at least one hypervisor
/// works.
#[derive(Args)]
pub(super) struct Doctor {
    /// Print it as JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// All there is to say.
#[derive(Serialize)]
struct Report {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    /// Whether programs can be run.
    works: bool,
    backends: Vec<BackendReport>,
    systems: Vec<SystemReport>,
}

#[derive(Serialize)]
struct BackendReport {
    name: &'static str,
    works: bool,
    problem: Option<String>,
    details: Vec<Detail>,
}

#[derive(Serialize)]
struct Detail {
    what: &'static str,
    value: String,
}

#[derive(Serialize)]
struct SystemReport {
    name: &'static str,
    available: bool,
    how: String,
    missing: Option<String>,
    remedy: Option<String>,
}

impl From<Availability> for SystemReport {
    fn from(found: Availability) -> Self {
        let Availability { system, available, how, missing, remedy } = found;
        Self { name: system, available, how, missing, remedy }
    }
}

impl Doctor {
    pub(super) fn execute(self) -> ExitCode {
        let report = Report::new();
        let text = match self.json {
            true => serde_json::to_string_pretty(&report).map(|text| harmless_json(&text) + "\n"),
            false => Ok(report.text()),
        };
        match text {
            Ok(text) => {
                let _ = std::io::stdout().write_all(Lines(text).to_string().as_bytes());
            }
            Err(error) => super::say::complain(format_args!("cannot write JSON: {error}")),
        }
        if report.works { ExitCode::SUCCESS } else { ExitCode::from(code::FAILED) }
    }
}

impl Report {
    fn new() -> Self {
        let backends: Vec<_> = available().into_iter().map(BackendReport::from).collect();
        let systems = [
            memory::availability(),
            memory::purgeable_availability(),
            pressure::availability(),
            dispatch::availability(),
            lock::availability(),
            sandbox::availability(),
            entitlements::availability(),
            code_memory::availability(),
            trace::availability(),
            log::availability(),
            vector::availability(),
            citizen::availability(),
        ];
        Self {
            version: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            works: backends.iter().any(|backend| backend.works),
            backends,
            systems: systems.into_iter().map(SystemReport::from).collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("wrt-vm {} on {} {}\n", self.version, self.os, self.arch);
        for BackendReport { name, problem, details, .. } in &self.backends {
            match problem {
                Some(problem) => text += &format!("  {name:<8} does not work: {problem}\n"),
                None => {
                    text += &format!("  {name:<8} works: a program ran in a VM, on either engine\n")
                }
            }
            for Detail { what, value } in details {
                text += &format!("           {what}: {value}\n");
            }
        }
        if !self.works {
            text += "wrt-vm cannot run programs on this machine as it is.\n";
        }
        text += "what it uses of the system\n";
        for SystemReport { name, available, how, missing, remedy } in &self.systems {
            text += &match available {
                true => format!("  {name:<12} by {how}\n"),
                false => format!("  {name:<12} not available\n"),
            };
            for (what, value) in [("missing", missing), ("remedy", remedy)] {
                if let Some(value) = value {
                    text += &format!("               {what}: {value}\n");
                }
            }
        }
        text
    }
}

impl From<wrt_vm::hypervisor::Availability> for BackendReport {
    fn from(found: wrt_vm::hypervisor::Availability) -> Self {
        let backend = found.backend;
        let problem = match found.problem {
            Some(problem) => Some(problem.to_string()),
            None => [EngineKind::Interp, EngineKind::Native]
                .into_iter()
                .find_map(|engine| self_test(backend, engine).err())
                .map(|error| format!("{error:#}")),
        };
        let works = problem.is_none();
        let details = works.then(|| details(backend)).into_iter().flatten();
        let details = details.map(|(what, value)| Detail { what, value }).collect();
        Self { name: backend.name(), works, problem, details }
    }
}

/// Runs a program that computes something.
fn self_test(backend: Backend, engine: EngineKind) -> anyhow::Result<()> {
    let module = Module::from_text(
        r#"(module (func (export "test") (result i32) (i32.mul (i32.const 6) (i32.const 7))))"#,
    )?;
    let mut hypervisor = backend.open()?;
    // The compiler has a VM, too. Nothing of anybody else's runs in either, so that no jail is
    // needed; a simulation could not work in one.
    if hypervisor.one_vm_a_process() {
        hypervisor = in_workers(hypervisor, super::workers(0).jailed(false));
    }
    let mut vm = MicroVm::builder().engine(engine).build_on(hypervisor.as_ref())?;
    let loaded = vm.load(&module)?;
    let instance = vm.instantiate(loaded)?;
    let test = vm.function(instance, "test")?;
    match vm.call(&test, &[])?.as_slice() {
        [wrt_vm::Value::I32(42)] => Ok(()),
        other => anyhow::bail!("6 times 7 is {other:?} in a VM"),
    }
}

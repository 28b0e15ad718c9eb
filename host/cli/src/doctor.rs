//! `wrt-vm doctor`: what this machine offers, and how to get what is missing.

use super::code;
use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::process::ExitCode;
use wrt_platform::availability::Availability;
use wrt_platform::text::{Lines, harmless_json};
use wrt_platform::{
    citizen, code as code_memory, dispatch, lock, log, memory, pressure, sandbox, trace, vector,
};
use wrt_vm::hypervisor::{available, details};
use wrt_vm::{Backend, EngineKind, MicroVm, Module, WasiConfig};

/// Say what this machine offers and, for what is missing, how to get it.
///
/// Makes a VM with each hypervisor, in the jail of a process of its own, and runs a program in it;
/// then lists the operating system's parts that wrt-vm uses, and by which interface. Exit code 0
/// when at least one hypervisor works.
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
    /// What the jail of a process with such a VM is worth.
    jail: Option<String>,
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
            true => serde_json::to_string_pretty(&report)
                .map(|text| harmless_json(&text))
                .map_err(std::io::Error::from),
            false => Ok(report.text()),
        };
        let printed = text.and_then(|text| {
            let mut out = std::io::stdout().lock();
            out.write_all(Lines(text.trim_end()).to_string().as_bytes())?;
            out.write_all(b"\n")?;
            out.flush()
        });
        match printed {
            Ok(()) if report.works => ExitCode::SUCCESS,
            Ok(()) => ExitCode::from(code::FAILED),
            Err(error) => {
                super::say::complain(format_args!("cannot write what was found: {error}"));
                ExitCode::from(code::FAILED)
            }
        }
    }
}

impl Report {
    fn new() -> Self {
        let backends: Vec<_> = available().into_iter().map(BackendReport::from).collect();
        let systems = [
            #[cfg(target_os = "macos")]
            wrt_platform::entitlements::availability(),
            memory::availability(),
            memory::purgeable_availability(),
            pressure::availability(),
            dispatch::availability(),
            lock::availability(),
            sandbox::availability(),
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
        for BackendReport { name, problem, jail, details, .. } in &self.backends {
            text += &match problem {
                Some(problem) => format!("  {name:<8} does not work: {problem}\n"),
                None => format!("  {name:<8} works: a program ran in a VM, on either engine\n"),
            };
            if let Some(jail) = jail {
                text += &format!("           jail: {jail}\n");
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
        let tested = match found.problem {
            Some(problem) => Err(problem.to_string()),
            None => [EngineKind::Interp, EngineKind::Native]
                .into_iter()
                .try_fold(None, |_, engine| self_test(backend, engine))
                .map_err(|error| format!("{error:#}")),
        };
        let works = tested.is_ok();
        let (jail, problem) = match tested {
            Ok(jail) => (jail, None),
            Err(problem) => (None, Some(problem)),
        };
        let details = works.then(|| details(backend)).into_iter().flatten();
        let details = details.map(|(what, value)| Detail { what, value }).collect();
        Self { name: backend.name(), works, problem, jail, details }
    }
}

/// Whether such a VM can be in a jail: what is not Apple's own framework is a simulation of it, which
/// makes code at run time.
fn has_jail(backend: Backend) -> bool {
    backend != Backend::Hvf || cfg!(target_os = "macos")
}

/// Runs a program that computes something, as `run` does: in a process of its own, which is
/// started, enters the jail with a directory and has the VM. Says what the jail is worth.
fn self_test(backend: Backend, engine: EngineKind) -> anyhow::Result<Option<String>> {
    let module = Module::from_text(
        r#"(module (func (export "test") (result i32) (i32.mul (i32.const 6) (i32.const 7))))"#,
    )?;
    let workers = super::workers(0).jailed(has_jail(backend));
    // Of what is below a directory the jail may have to leave some open.
    let world = WasiConfig::new().read_only_dir(std::env::temp_dir(), "/");
    let settings = MicroVm::builder().backend(backend).engine(engine).placement(workers);
    let mut vm = settings.wasi(world).build()?;
    let loaded = vm.load(&module)?;
    let instance = vm.instantiate(loaded)?;
    let test = vm.function(instance, "test")?;
    match vm.call(&test, &[])?.as_slice() {
        [wrt_vm::Value::I32(42)] => Ok(vm.jail().map(str::to_owned)),
        other => anyhow::bail!("6 times 7 is {other:?} in a VM"),
    }
}

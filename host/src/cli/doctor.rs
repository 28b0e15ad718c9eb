//! `wrt-vm doctor`: what this machine offers, and how to get what is missing.

use super::code;
use clap::Args;
use std::io::Write as _;
use std::process::ExitCode;
use wrt_vm::hypervisor::available;
use wrt_vm::{Backend, EngineKind, Error, MicroVm, Module};

/// Say what this machine offers and, for what is missing, how to get it.
///
/// Makes a VM with each hypervisor and runs a program in it. Exit code 0 when at least one
/// works.
#[derive(Args)]
pub(super) struct Doctor {}

impl Doctor {
    pub(super) fn execute(self) -> ExitCode {
        let mut report = format!(
            "wrt-vm {} on {} {}\n",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        );
        let mut works = false;
        for entry in available() {
            let name = entry.backend.name();
            let result = match entry.problem {
                Some(problem) => Err(problem.to_string()),
                None => [EngineKind::Interp, EngineKind::Native]
                    .into_iter()
                    .try_for_each(|engine| self_test(entry.backend, engine))
                    .map_err(|error| error.to_string()),
            };
            match result {
                Ok(()) => {
                    works = true;
                    report +=
                        &format!("  {name:<8} works: a program ran in a VM, on either engine\n");
                    for (what, value) in wrt_vm::hypervisor::details(entry.backend) {
                        report += &format!("           {what}: {value}\n");
                    }
                }
                Err(problem) => report += &format!("  {name:<8} does not work: {problem}\n"),
            }
        }
        if !works {
            report += "wrt-vm cannot run programs on this machine as it is.\n";
        }
        let _ = std::io::stdout().write_all(report.as_bytes());
        if works { ExitCode::SUCCESS } else { ExitCode::from(code::FAILED) }
    }
}

/// Runs a program that computes something.
fn self_test(backend: Backend, engine: EngineKind) -> Result<(), Error> {
    let module = Module::from_text(
        r#"(module (func (export "test") (result i32) (i32.mul (i32.const 6) (i32.const 7))))"#,
    )?;
    let mut vm = MicroVm::builder().backend(backend).engine(engine).build()?;
    let loaded = vm.load(&module)?;
    let instance = vm.instantiate(loaded)?;
    let test = vm.function(instance, "test")?;
    match vm.call(&test, &[])?.as_slice() {
        [wrt_vm::Value::I32(42)] => Ok(()),
        other => Err(Error::Failed(format!("6 times 7 is {other:?} in a VM"))),
    }
}

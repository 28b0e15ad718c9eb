//! The compiler in its VM: what it makes, and what hostile modules can do to it.
//!
//! Needs a hypervisor. No test asserts how long something takes; limits of time are part of
//! what is tested.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod bombs;
mod damaged;
mod good;
mod hostile;
mod settings;
mod stopped;

use wasmtime::Config;
use wrt_tests::{Setup, matrix};
use wrt_vm::compiler::Target;
use wrt_vm::{Compiler, EngineKind, Error, MicroVm, Module, Value};

/// Setups that run compiled code.
fn setups() -> impl Iterator<Item = Setup> {
    matrix().into_iter().filter(|setup| setup.engine == EngineKind::Native)
}

/// A compiler on a setup's hypervisor.
fn compiler(setup: Setup) -> Compiler {
    let hypervisor = setup.backend.open().unwrap();
    Compiler::new(hypervisor.as_ref()).unwrap_or_else(|error| panic!("{setup}: {error}"))
}

/// Loads a module, and calls its function `f`.
fn run(vm: &mut MicroVm, module: &Module) -> Result<Vec<Value>, Error> {
    let loaded = vm.load(module)?;
    let instance = vm.instantiate(loaded)?;
    let function = vm.function(instance, "f")?;
    vm.call(&function, &[])
}

/// The compiler's configuration, for a compiler in this process.
fn in_process(target: Target) -> Config {
    wrt_engine_config::compiler(target.arch, target.features).unwrap()
}

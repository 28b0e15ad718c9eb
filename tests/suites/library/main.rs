//! The library's interface, on every setup of [`wrt_tests::matrix`].

mod bounds;
mod bulk;
mod engine;
mod errors;
mod linking;
mod logs;
mod memory;
mod pool;
mod reading;
mod references;
mod reset;
mod runtime;
mod select;
mod snapshot;
mod traps;
mod values;
mod vectors;

use wrt_vm::vm::Instance;
use wrt_vm::{Error, MicroVm, Module, Value};

/// Loads and instantiates a module in the text format.
fn try_instantiate(vm: &mut MicroVm, text: &str) -> Result<Instance, Error> {
    let module = Module::from_text(text).expect("a module of a test");
    let loaded = vm.load(&module)?;
    vm.instantiate(loaded)
}

/// As [`try_instantiate`], for modules that nothing is wrong with.
#[track_caller]
fn instantiate(vm: &mut MicroVm, text: &str) -> Instance {
    try_instantiate(vm, text).expect("the module can be instantiated")
}

/// Calls a function by its name.
fn call(
    vm: &mut MicroVm,
    instance: Instance,
    name: &str,
    values: &[Value],
) -> Result<Vec<Value>, Error> {
    let function = vm.function(instance, name)?;
    vm.call(&function, values)
}

//! Compiled code in a VM against the same wasmtime in this process.
//!
//! Both are wasmtime 48, which compiled the module at its default optimisation level. The
//! process's is configured as it comes: for this very processor, with guard pages and traps
//! by signals.

use crate::build;
use crate::kernels::{self, Kernel, thread_time};
use crate::pairs::Target;
use wasmtime::{Engine, Instance, Linker, Module, Store};
use wrt_vm::EngineKind;

/// Kernels, with sizes that take some ten to twenty milliseconds each: long beside two exits,
/// short beside what disturbs a machine.
pub(crate) const KERNELS: [Kernel; 8] = [
    ("coremark", 2400),
    ("sha256", 1500),
    ("matmul", 280),
    ("nbody", 250),
    ("sort", 350),
    ("fib", 33),
    ("bytecode", 4000),
    ("copy", 10),
];

pub(crate) fn run() -> bool {
    let path = build::kernels();
    let (mut store, instance) = instantiate(&std::fs::read(&path).expect("the kernels"));
    let speeds = kernels::compare(EngineKind::Native, &path, &KERNELS, &mut |name, size| {
        let function = instance.get_typed_func::<u32, u32>(&mut store, name).expect("the export");
        let started = thread_time();
        let result = function.call(&mut store, size).expect("a checksum");
        (thread_time() - started, result)
    });
    let mean = Target::AtLeast(0.97).judge("native, speed in the VM", speeds.mean());
    Target::AtLeast(0.9).judge("native, the slowest kernel", speeds.least()) && mean
}

fn instantiate(wasm: &[u8]) -> (Store<()>, Instance) {
    let engine = Engine::default();
    let module = Module::new(&engine, wasm).expect("it compiles");
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    // What `std` imports for its panics; kernels do not call it.
    linker.define_unknown_imports_as_traps(&module).expect("imports are functions");
    let instance = linker.instantiate(&mut store, &module).expect("an instance");
    (store, instance)
}

//! Compiling in a VM against Cranelift in this process, on one thread each.
//!
//! Both get the same configuration, so that both make the same bytes, which is checked. Ours
//! includes the VM's reset, the module's way in and the code's way out.

use crate::build;
use crate::kernels::thread_time;
use crate::pairs::{Pairs, Target};
use std::path::Path;
use wasmtime::Engine;
use wrt_vm::compiler::Target as CodeTarget;
use wrt_vm::{Backend, Compiler, Module};

pub(crate) fn run() -> bool {
    let mut met = compare("kernels", &build::kernels(), 15);
    // Large enough that nothing but Cranelift counts, and a program of somebody else's.
    match build::cpython() {
        Some(path) => met &= compare("cpython", &path, 5),
        None => println!("  skipped: no CPython for WASI (run tests/programs/foreign/fetch)"),
    }
    met
}

fn compare(name: &str, path: &Path, pairs: usize) -> bool {
    let hypervisor = Backend::Auto.open().expect("a hypervisor");
    let target = CodeTarget::of(hypervisor.as_ref());
    let mut compiler = Compiler::new(hypervisor.as_ref()).expect("a compiler");
    let module = Module::from_file(path).expect("the module");
    let wasm = std::fs::read(path).expect("the module");
    let config = wrt_engine_config::compiler(target.arch, target.features).expect("a target");
    let engine = Engine::new(&config).expect("an engine");
    let (mut ours, mut floor) = (0, 0);
    let pairs = Pairs::measure(
        pairs,
        || {
            let started = thread_time();
            ours = compiler.compile(&module, target).expect("it compiles").len();
            thread_time() - started
        },
        || {
            let started = thread_time();
            floor = engine.precompile_module(&wasm).expect("it compiles").len();
            thread_time() - started
        },
    );
    assert_eq!(ours, floor, "{name}: both compile the same way");
    pairs.print(name, 1.0);
    Target::AtMost(1.6).judge(&format!("compile {name}, ratio"), pairs.ratio())
}

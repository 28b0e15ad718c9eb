//! A guest that goes on from a snapshot against one that begins with nothing.
//!
//! Both are there when an export has been found, which takes a command. In a VM of its own:
//! making that is included. In a VM that is there already: its reset is included, which leaves
//! nothing of what ran before. The module is a program of 100 KiB; native code is compiled already.

use crate::build;
use crate::pairs::{Pairs, Target};
use std::time::Instant;
use wrt_vm::compiler::Target as CodeTarget;
use wrt_vm::{Backend, Compiler, EngineKind, MicroVm, Module, WasiConfig};

pub(crate) fn run() -> bool {
    let module = Module::from_file(build::kernels()).expect("the module");
    let hypervisor = Backend::Auto.open().expect("a hypervisor");
    let compiled = Compiler::new(hypervisor.as_ref())
        .and_then(|mut compiler| compiler.compile(&module, CodeTarget::of(hypervisor.as_ref())))
        .expect("it compiles");
    // One after the other: both, and on a slow day one may be the worse.
    let interp = compare(EngineKind::Interp, &module);
    let native = compare(EngineKind::Native, &compiled);
    interp && native
}

/// Makes a guest with an instance of a module, and asks it something.
fn begin(vm: &mut MicroVm, module: &Module) {
    let loaded = vm.load(module).expect("a module");
    let instance = vm.instantiate(loaded).expect("an instance");
    vm.exports(instance).expect("its exports");
}

fn compare(engine: EngineKind, module: &Module) -> bool {
    let builder = || MicroVm::builder().engine(engine);
    let mut vm = builder().build().expect("a VM");
    let loaded = vm.load(module).expect("a module");
    let instance = vm.instantiate(loaded).expect("an instance");
    let snapshot = vm.snapshot().expect("a snapshot");
    println!("  {engine}: {} KiB are kept", snapshot.size().unwrap_or_default() >> 10);

    let new = Pairs::measure(
        41,
        || {
            let started = Instant::now();
            let mut vm = snapshot.vm(WasiConfig::new()).expect("a VM");
            vm.exports(instance).expect("its exports");
            started.elapsed()
        },
        || {
            let started = Instant::now();
            let mut vm = builder().build().expect("a VM");
            begin(&mut vm, module);
            started.elapsed()
        },
    );
    new.print("a new VM", 1.0);
    let mut other = builder().build().expect("a VM");
    let again = Pairs::measure(
        41,
        || {
            let started = Instant::now();
            vm.restore(&snapshot, WasiConfig::new()).expect("a snapshot");
            vm.exports(instance).expect("its exports");
            started.elapsed()
        },
        || {
            let started = Instant::now();
            other.reset().expect("a VM");
            begin(&mut other, module);
            started.elapsed()
        },
    );
    again.print("the same VM", 1.0);
    let judge = |what, pairs: &Pairs| {
        Target::AtMost(1.0).judge(&format!("snapshot, {what}, {engine}"), pairs.ratio())
    };
    let (new, again) = (judge("a new VM", &new), judge("the same VM", &again));
    new && again
}

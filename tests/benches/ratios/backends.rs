//! The kernels in a child process against the same in a VM of KVM, on both engines.
//!
//! Time is the clock's, since a child's processor time is not this thread's; the two take
//! turns, so that what else the machine does is in the way of both.

use crate::build;
use crate::kernels::Kernel;
use crate::pairs::{Pairs, Target, geometric_mean};
use crate::{interp, native};
use std::time::Instant;
use wrt_vm::vm::Function;
use wrt_vm::{Backend, EngineKind, MicroVm, Module, Value};

pub(crate) fn run() -> bool {
    let module = Module::from_file(build::kernels()).expect("the kernels");
    let mut met = true;
    let engines: [(EngineKind, &[Kernel]); 2] =
        [(EngineKind::Interp, &interp::KERNELS), (EngineKind::Native, &native::KERNELS)];
    for (engine, kernels) in engines {
        let [Some(mut ours), Some(mut floor)] =
            [Backend::Process, Backend::Kvm].map(|backend| Loaded::new(backend, engine, &module))
        else {
            return met;
        };
        let mut speeds = Vec::new();
        for &(name, size) in kernels {
            let size = [Value::I32(size.cast_signed())];
            let (in_child, in_vm) = (ours.function(name), floor.function(name));
            let same = [ours.vm.call(&in_child, &size), floor.vm.call(&in_vm, &size)]
                .map(|result| result.expect("a checksum"));
            assert_eq!(same[0], same[1], "{name}: checksums");
            let pairs = Pairs::measure(
                21,
                || {
                    let started = Instant::now();
                    ours.vm.call(&in_child, &size).expect("a checksum");
                    started.elapsed()
                },
                || {
                    let started = Instant::now();
                    floor.vm.call(&in_vm, &size).expect("a checksum");
                    started.elapsed()
                },
            );
            pairs.print(name, 1.0);
            speeds.push(1.0 / pairs.ratio());
        }
        let what = format!("backends, speed in a child ({engine})");
        met &= Target::AtLeast(0.97).judge(&what, geometric_mean(&speeds));
    }
    met
}

/// The kernels in a VM.
struct Loaded {
    vm: MicroVm,
    instance: wrt_vm::vm::Instance,
}

impl Loaded {
    fn new(backend: Backend, engine: EngineKind, module: &Module) -> Option<Self> {
        let mut vm = match MicroVm::builder().backend(backend).engine(engine).build() {
            Ok(vm) => vm,
            Err(error) => {
                eprintln!("skipped: {error}");
                return None;
            }
        };
        let loaded = vm.load(module).expect("a loaded module");
        let instance = vm.instantiate(loaded).expect("an instance");
        Some(Self { vm, instance })
    }

    fn function(&mut self, name: &str) -> Function {
        self.vm.function(self.instance, name).expect("the export")
    }
}

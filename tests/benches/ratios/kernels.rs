//! Compute kernels in a VM against the same engine in this process.
//!
//! A run is one call of an export, so ours includes the exit of a command. Time is the
//! thread's own (the guest's is part of it), so that other programs on the machine are in the
//! way of neither side.

use crate::pairs::{Pairs, geometric_mean};
use std::path::Path;
use std::time::Duration;
use wrt_vm::{EngineKind, MicroVm, Module, Value};

/// Name of an export, and the size to call it with.
pub(crate) type Kernel = (&'static str, u32);

/// Ours divided by the process's speed, for each kernel.
pub(crate) struct Speeds(Vec<(&'static str, f64)>);

impl Speeds {
    /// Their geometric mean.
    pub(crate) fn mean(&self) -> f64 {
        geometric_mean(&self.all().collect::<Vec<_>>())
    }

    /// The worst.
    pub(crate) fn least(&self) -> f64 {
        self.all().fold(f64::INFINITY, f64::min)
    }

    /// That of one kernel.
    pub(crate) fn of(&self, kernel: &str) -> f64 {
        let found = self.0.iter().find(|(name, _)| *name == kernel);
        found.expect("a kernel that was measured").1
    }

    fn all(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|(_, speed)| *speed)
    }
}

/// Runs each kernel in turns in a VM and by `process`, which returns its time and checksum.
pub(crate) fn compare(
    engine: EngineKind,
    path: &Path,
    kernels: &[Kernel],
    process: &mut dyn FnMut(&str, u32) -> (Duration, u32),
) -> Speeds {
    let module = Module::from_file(path).expect("the kernels");
    let mut vm = MicroVm::builder().engine(engine).build().expect("a VM");
    let loaded = vm.load(&module).expect("a loaded module");
    let instance = vm.instantiate(loaded).expect("an instance");
    let mut speeds = Vec::new();
    for &(name, size) in kernels {
        let function = vm.function(instance, name).expect("the export");
        let (_, expected) = process(name, size);
        let pairs = Pairs::measure(
            41,
            || {
                let started = thread_time();
                let result = vm.call(&function, &[Value::I32(size.cast_signed())]);
                let time = thread_time() - started;
                let result = result.expect("a checksum");
                assert_eq!(result, [Value::I32(expected.cast_signed())], "{name}: checksums");
                time
            },
            || {
                let (time, result) = process(name, size);
                assert_eq!(result, expected, "{name}: the process's own checksums");
                time
            },
        );
        pairs.print(name, 1.0);
        speeds.push((name, 1.0 / pairs.ratio()));
    }
    Speeds(speeds)
}

/// Processor time that this thread has used.
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a plain system call that fills `time` in.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "no processor time");
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

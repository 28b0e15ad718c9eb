//! The interpreter in a VM against the same interpreter in this process.
//!
//! Both are wasmi 2.0.0 with the guest's features, configuration, profile (fat LTO, one
//! codegen unit) and target CPU. What differs: the guest's two patches (guest/patches), its
//! allocator and `memcpy`, and position-independent code here. A run is one call of an
//! export, so ours includes the exit of a command.
//!
//! Time is the thread's own (the guest's is part of it), so that other programs on the
//! machine are in the way of neither side.

use crate::build;
use crate::pairs::{Pairs, Target, geometric_mean};
use std::ffi::{CString, c_void};
use std::path::Path;
use std::time::Duration;
use wrt_vm::{MicroVm, Module, Value};

/// Kernels, with sizes that take about ten milliseconds each: long beside two exits, short
/// beside what disturbs a machine.
const KERNELS: [(&str, u32); 6] = [
    ("coremark", 80),
    ("sha256", 64),
    ("matmul", 96),
    ("sort", 24),
    ("fib", 28),
    ("bytecode", 150),
];

pub(crate) fn run() -> bool {
    let path = build::kernels();
    let module = Module::from_file(&path).expect("the kernels");
    let mut process = Reference::new(&build::reference(), &std::fs::read(&path).expect("a file"));
    let mut vm = MicroVm::builder().build().expect("a VM");
    let loaded = vm.load(&module).expect("a loaded module");
    let instance = vm.instantiate(loaded).expect("an instance");

    let mut speeds = Vec::new();
    for (name, size) in KERNELS {
        let function = vm.function(instance, name).expect("the export");
        let expected = process.call(name, size);
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
            || process.time(name, size, expected),
        );
        pairs.print(name, 1.0);
        speeds.push(1.0 / pairs.ratio());
    }
    Target::AtLeast(0.95).judge("kernels, speed in the VM", geometric_mean(&speeds))
}

/// Type of the library's `reference_call`.
type Call = unsafe extern "C" fn(*mut c_void, *const u8, usize, u32) -> u64;

/// Processor time that this thread has used.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a plain system call that fills `time` in.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(failed, 0, "no processor time");
    Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The interpreter in this process, see `benches/reference`.
struct Reference {
    instance: *mut c_void,
    call: Call,
}

impl Reference {
    fn new(library: &Path, wasm: &[u8]) -> Self {
        let name = CString::new(library.as_os_str().as_encoded_bytes()).expect("a path");
        // SAFETY: the library is ours, has no initialisers to fear, and is never closed; the
        // two symbols have these types.
        unsafe {
            let opened = libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!opened.is_null(), "cannot open {}", library.display());
            let new = libc::dlsym(opened, c"reference_new".as_ptr());
            let call = libc::dlsym(opened, c"reference_call".as_ptr());
            assert!(!new.is_null() && !call.is_null(), "the library lacks its functions");
            let new: unsafe extern "C" fn(*const u8, usize) -> *mut c_void =
                std::mem::transmute(new);
            let instance = new(wasm.as_ptr(), wasm.len());
            assert!(!instance.is_null(), "the reference cannot instantiate the kernels");
            let call = std::mem::transmute::<*mut c_void, Call>(call);
            Self { instance, call }
        }
    }

    fn call(&mut self, name: &str, size: u32) -> u32 {
        // SAFETY: the instance is from `reference_new`, and `&mut self` makes its use unique.
        let result = unsafe { (self.call)(self.instance, name.as_ptr(), name.len(), size) };
        u32::try_from(result).unwrap_or_else(|_| panic!("the reference cannot run {name}"))
    }

    fn time(&mut self, name: &str, size: u32, expected: u32) -> Duration {
        let started = thread_time();
        let result = self.call(name, size);
        let time = thread_time() - started;
        assert_eq!(result, expected, "{name}: the reference's own checksums");
        time
    }
}

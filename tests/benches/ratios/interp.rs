//! The interpreter in a VM against the same interpreter in this process.
//!
//! Both are wasmi 2.0.0 with the guest's features, configuration, profile (fat LTO, one
//! codegen unit) and target CPU. What differs: the guest's patches (guest/patches), its
//! allocator and `memcpy`, and position-independent code here. A run is one call of an
//! export, so ours includes the exit of a command.

use crate::build;
use crate::kernels::{self, Kernel, thread_time};
use crate::pairs::Target;
use std::ffi::{CString, c_void};
use std::path::Path;
use std::time::Duration;
use wrt_vm::EngineKind;

/// Kernels, with sizes that take about ten milliseconds each: long beside two exits, short
/// beside what disturbs a machine.
pub(crate) const KERNELS: [Kernel; 7] = [
    ("coremark", 80),
    ("sha256", 64),
    ("matmul", 96),
    ("sort", 24),
    ("fib", 28),
    ("bytecode", 150),
    ("nbody", 10),
];

pub(crate) fn run() -> bool {
    let path = build::kernels();
    let wasm = std::fs::read(&path).expect("the kernels");
    let mut process = Reference::new(&build::reference(), &wasm);
    let speeds = kernels::compare(EngineKind::Interp, &path, &KERNELS, &mut |name, size| {
        process.time(name, size)
    });
    let mut held = Target::AtLeast(0.95).judge("interp, speed in the VM", speeds.mean());
    // A mean does not show what floats alone lose.
    for name in ["matmul", "nbody"] {
        held &= Target::AtLeast(0.95).judge(&format!("interp, {name} in the VM"), speeds.of(name));
    }
    held
}

/// Type of the library's `reference_call`.
type Call = unsafe extern "C" fn(*mut c_void, *const u8, usize, u32) -> u64;

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

    fn time(&mut self, name: &str, size: u32) -> (Duration, u32) {
        let started = thread_time();
        let result = self.call(name, size);
        (thread_time() - started, result)
    }
}

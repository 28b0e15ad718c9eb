//! From nothing to a VM's first exit.
//!
//! Ours: `build()`, which opens KVM, makes the WASI world, memory, page tables and the vCPU,
//! plus `Usage::boot`, from setting the vCPU's registers to the guest's first exit. The floor:
//! open KVM, make the same slots over untouched memory, run to the first exit. Neither counts
//! taking it down.

use crate::pairs::{Pairs, Target};
use crate::raw::{LIKE_OURS, RawVm};
use std::time::Instant;
use wrt_vm::{MicroVm, Module};

pub(crate) fn run() -> bool {
    let module = Module::from_text("(module)").expect("a module");
    let pairs = Pairs::measure(
        41,
        || {
            let started = Instant::now();
            let mut vm = MicroVm::builder().build().expect("a VM");
            let built = started.elapsed();
            // The first command boots the guest; only the boot counts.
            vm.load(&module).expect("a loaded module");
            built + vm.usage().boot
        },
        || {
            let started = Instant::now();
            let mut raw = RawVm::new(&LIKE_OURS).expect("a raw VM");
            raw.run();
            started.elapsed()
        },
    );
    pairs.print("a VM", 1.0);
    Target::AtMost(1.5).judge("create, ratio", pairs.ratio())
}

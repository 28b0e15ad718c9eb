//! x86-64: the runtime in ring 3, the stub in ring 0.

mod memory;

#[cfg(feature = "native")]
use crate::fault::{Cause, Fault};
use crate::runtime_main;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicBool, Ordering};
use wrt_abi::boot::{MAGIC, TRAP_BY_BREAKPOINT};
use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};

global_asm!(
    include_str!("stub.S"),
    fault_port = const X86_FAULT_PORT,
    vector_stride = const wrt_abi::layout::X86_VECTOR_STRIDE,
    deliver = const cfg!(feature = "native") as u8,
    options(att_syntax),
);

global_asm!(
    include_str!("entry.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    deliver = const cfg!(feature = "native") as u8,
    options(att_syntax),
);

#[cfg(feature = "native")]
global_asm!(
    include_str!("fault.S"),
    on_fault = sym on_fault,
    options(att_syntax),
);

/// Called by `fault.S` with what the stub was told.
#[cfg(feature = "native")]
extern "C" fn on_fault(vector: u64, ip: usize, fp: usize, address: usize, sp: usize) -> ! {
    let cause = match vector {
        0 | 6 => Cause::Instruction,
        _ => Cause::Access { address },
    };
    crate::fault::on_fault(&Fault { cause, ip, fp, sp })
}

/// Whether the host is a tracer rather than a hypervisor: ports do not exist for a process.
static BREAKPOINT: AtomicBool = AtomicBool::new(false);

/// Takes the host's word for how to trap, before the first [`trap_to_host`].
pub fn set_trap(how: u64) {
    BREAKPOINT.store(how == TRAP_BY_BREAKPOINT, Ordering::Relaxed);
}

/// Delivers the mailbox to the host; returns when the host has answered.
#[inline]
pub fn trap_to_host() {
    // SAFETY: the host has said which of the two traps to it: the TSS's I/O bitmap opens this
    // one port to ring 3, or a tracer takes the breakpoint. The host reads and writes only the
    // mailbox page and memory that the runtime named to it, which `asm!` without `nomem`
    // declares; no register and no stack memory is changed.
    unsafe {
        if BREAKPOINT.load(Ordering::Relaxed) {
            asm!("int3", options(nostack, preserves_flags));
        } else {
            asm!(
                "out dx, al",
                in("dx") X86_MAILBOX_PORT,
                in("al") 0u8,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// Makes bytes that the host has put into memory fit to be executed: they are. The processor
/// keeps its instruction caches right (Intel SDM volume 3A, 13.6).
#[cfg(feature = "native")]
pub fn make_executable(_start: *const u8, _len: usize) {}

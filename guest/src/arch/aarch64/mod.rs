//! 64-bit Arm: the runtime at EL0, the stub at EL1.

#[cfg(feature = "native")]
mod cache;

#[cfg(feature = "native")]
pub use cache::make_executable;

#[cfg(feature = "native")]
use crate::fault::{Cause, Fault};
use crate::runtime_main;
use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicBool, Ordering};
use wrt_abi::boot::{MAGIC, TRAP_BY_BREAKPOINT};
use wrt_abi::layout::{SYSTEM_BASE, arm};

global_asm!(
    include_str!("stub.S"),
    system_high = const SYSTEM_BASE >> 16,
    doorbell = const arm::SYSTEM_DOORBELL,
    upkeep = const arm::SYSTEM_UPKEEP,
    ring_mailbox = const arm::RING_MAILBOX,
    ring_fault = const arm::RING_FAULT,
    hvc_mailbox = const arm::HVC_MAILBOX,
    hvc_fault = const arm::HVC_FAULT,
    boot_offset = const arm::BOOT_OFFSET,
    el0 = const arm::PSTATE_EL0,
    deliver = const cfg!(feature = "native") as u8,
);

global_asm!(
    include_str!("entry.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    deliver = const cfg!(feature = "native") as u8,
);

#[cfg(feature = "native")]
global_asm!(include_str!("fault.S"), on_fault = sym on_fault);

/// Exception class of an instruction that there is not (Arm ARM D24.2.40, ESR_EL1.EC).
#[cfg(feature = "native")]
const UNKNOWN: u64 = 0;

/// Called by `fault.S` with what the stub was told.
#[cfg(feature = "native")]
extern "C" fn on_fault(class: u64, ip: usize, fp: usize, address: usize, sp: usize) -> ! {
    let cause = match class {
        UNKNOWN => Cause::Instruction,
        _ => Cause::Access { address },
    };
    crate::fault::on_fault(&Fault { cause, ip, fp, sp })
}

/// Whether the host is a tracer rather than a hypervisor.
static BREAKPOINT: AtomicBool = AtomicBool::new(false);

/// Takes the host's word for how to trap, before the first [`trap_to_host`].
pub fn set_trap(how: u64) {
    BREAKPOINT.store(how == TRAP_BY_BREAKPOINT, Ordering::Relaxed);
}

/// Delivers the mailbox to the host; returns when the host has answered.
#[inline]
pub fn trap_to_host() {
    // SAFETY: the host has said which of the two traps to it: the stub hands `svc` on, or a
    // tracer takes the breakpoint. The host reads and writes only the mailbox page and memory
    // that the runtime named to it, which `asm!` without `nomem` declares; the stub changes the
    // two registers that are named, and no stack memory.
    unsafe {
        if BREAKPOINT.load(Ordering::Relaxed) {
            asm!("brk #0", options(nostack, preserves_flags));
        } else {
            asm!(
                "svc #0",
                out("x16") _,
                out("x17") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

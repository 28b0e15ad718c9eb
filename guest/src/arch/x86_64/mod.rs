//! x86-64: the runtime in ring 3, the stub in ring 0.

mod memory;

use crate::runtime_main;
use core::arch::{asm, global_asm};
use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};

global_asm!(
    include_str!("stub.S"),
    fault_port = const X86_FAULT_PORT,
    vector_stride = const wrt_abi::layout::X86_VECTOR_STRIDE,
    options(att_syntax),
);

global_asm!(
    include_str!("entry.S"),
    runtime_main = sym runtime_main,
    options(att_syntax),
);

/// Delivers the mailbox to the host; returns when the host has answered.
#[inline]
pub fn trap_to_host() {
    // SAFETY: the TSS's I/O bitmap opens this one port to ring 3. The host reads and writes
    // only the mailbox page and memory that the runtime named to it, which `asm!` without
    // `nomem` declares; no register and no stack memory is changed.
    unsafe {
        asm!(
            "out dx, al",
            in("dx") X86_MAILBOX_PORT,
            in("al") 0u8,
            options(nostack, preserves_flags),
        );
    }
}

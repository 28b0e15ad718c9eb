//! 64-bit Arm: EL0, EL1, and the way between them.

mod access;
mod window;

pub use access::{make_executable, read, write};
pub use window::open as open_window;
pub use wrt_evil::Arm as Cpu;

use crate::gate::is_process;
use crate::runtime_main;
use core::arch::{asm, global_asm};
use wrt_abi::boot::MAGIC;
use wrt_abi::layout::{SYSTEM_BASE, arm};

/// In w14: what is undefined is meant.
const GATE: u32 = 0x0e71_1e57;
/// Offset of a word of SYSTEM that the host does not use.
const POLICY: u64 = 0x2000;
/// Words of [`Cpu::ENTRY_WORDS`] that are not a vector register's.
pub const STATE: usize = 37;
/// Bytes from one instruction of a table to the next.
pub const STRIDE: usize = 16;

global_asm!(
    include_str!("runtime.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    gate_low = const GATE & 0xffff,
    gate_high = const GATE >> 16,
);

macro_rules! tables {
    (
        { $( $name:ident = $code:literal; )* }
        { $( $register:ident = $encoding:literal; )* }
    ) => {
        // One piece: the vectors come first.
        global_asm!(
            include_str!("stub.S"),
            ".globl privileged_instructions",
            ".balign {stride}",
            "privileged_instructions:",
            $( concat!(".balign {stride}\n", $code, "\neret"), )*
            $(
                concat!(".balign {stride}\nmrs x0, ", $encoding, "\neret"),
                concat!(".balign {stride}\nmsr ", $encoding, ", x0\neret"),
            )*
            ".section .text.instructions, \"ax\", %progbits",
            ".globl instructions",
            ".balign {stride}",
            "instructions:",
            $( concat!(".balign {stride}\n", $code, "\nret"), )*
            $(
                concat!(".balign {stride}\nmrs x0, ", $encoding, "\nret"),
                concat!(".balign {stride}\nmsr ", $encoding, ", x0\nret"),
            )*
            stride = const STRIDE,
            system_high = const SYSTEM_BASE >> 16,
            doorbell = const arm::SYSTEM_DOORBELL,
            upkeep = const arm::SYSTEM_UPKEEP,
            policy = const POLICY,
            ring_mailbox = const arm::RING_MAILBOX,
            ring_fault = const arm::RING_FAULT,
            hvc_mailbox = const arm::HVC_MAILBOX,
            hvc_fault = const arm::HVC_FAULT,
            boot_offset = const arm::BOOT_OFFSET,
            el0 = const arm::PSTATE_EL0,
            gate_low = const GATE & 0xffff,
            gate_high = const GATE >> 16,
        );
    };
}

wrt_evil::arm_instructions!(tables);

/// The trapping instruction.
pub fn trap() {
    // SAFETY: the host touches what it was told to touch, and the mailbox; the stub changes the
    // two registers that are named.
    unsafe {
        if is_process() {
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

//! x86-64: ring 3, ring 0, and the way between them.

mod access;
mod window;

pub use access::{make_executable, read, write};
pub use window::open as open_window;
pub use wrt_evil::X86 as Cpu;

use crate::gate::is_process;
use crate::runtime_main;
use core::arch::{asm, global_asm};
use wrt_abi::boot::MAGIC;
use wrt_abi::layout::{SYSTEM_BASE, X86_FAULT_PORT, X86_MAILBOX_PORT, X86_VECTOR_STRIDE};

/// In r15d: what is invalid is meant.
const GATE: u32 = 0x0e71_1e57;
/// A word of SYSTEM that the host does not use.
const POLICY: u64 = SYSTEM_BASE + 0x2000;
/// Words of [`Cpu::ENTRY_WORDS`] that are not a vector register's.
pub const STATE: usize = 23;
/// Bytes from one instruction of a table to the next.
pub const STRIDE: usize = 64;

global_asm!(
    include_str!("runtime.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    gate = const GATE,
    mailbox_port = const X86_MAILBOX_PORT,
    options(att_syntax),
);

macro_rules! tables {
    ($( $name:ident = $code:literal; )*) => {
        // One piece: the vectors come first.
        global_asm!(
            include_str!("stub.S"),
            ".globl privileged_instructions",
            ".balign {stride}",
            "privileged_instructions:",
            $( concat!(".balign {stride}\n", $code, "\njmp gate_return"), )*
            ".section .text.instructions, \"ax\", @progbits",
            ".globl instructions",
            ".balign {stride}",
            "instructions:",
            $( concat!(".balign {stride}\n", $code, "\nret"), )*
            gate = const GATE,
            policy = const POLICY,
            stride = const STRIDE,
            vector_stride = const X86_VECTOR_STRIDE,
            fault_port = const X86_FAULT_PORT,
            mailbox_port = const X86_MAILBOX_PORT,
            stub_stack = const SYSTEM_BASE + 0x4000,
            user_data = const 0x18 | 3,
            user_code = const 0x20 | 3,
            options(att_syntax),
        );
    };
}

wrt_evil::x86_instructions!(tables);

/// The trapping instruction.
pub fn trap() {
    // SAFETY: the host touches what it was told to touch, and the mailbox.
    unsafe {
        if is_process() {
            asm!("int3", options(nostack, preserves_flags));
        } else {
            asm!(
                "out dx, al",
                in("dx") X86_MAILBOX_PORT,
                in("al") 0_u8,
                options(nostack, preserves_flags),
            );
        }
    }
}

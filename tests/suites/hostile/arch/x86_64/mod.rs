//! x86-64.

mod artefact;
mod calls;
mod instructions;
mod leftovers;

use crate::guest::code;
use std::ops::Range;

macro_rules! assemble {
    ($($line:expr,)*) => { std::arch::global_asm!($($line,)* options(att_syntax)); };
}
pub(crate) use assemble;

/// What traps to the host.
pub(crate) const BREAKPOINT: [u8; 1] = [0xcc];

/// Intel SDM volume 3A, table 7-1: a page fault, whatever the access.
pub(crate) const ACCESS_FAULT: u8 = 14;
pub(crate) const FETCH_FAULT: u8 = 14;

/// Where a process has its stack, and the kernel's own pages.
pub(crate) const EDGES: [u64; 2] = [0x7fff_ffff_e000, 0xffff_8000_0000_0000];

/// The processor sees to it.
pub(crate) fn instructions_changed(_start: *const u8, _len: usize) {}

code!(two_words:
    "movq $42, 0x800000"
    "int3"
    "movq $43, 0x800000");
code!(for_ever: "movq $1, 0x800000" "1: jmp 1b");

// The address is data.
code!(read: "mov 0x800000, %rax" "mov (%rax), %rbx");
code!(write: "mov 0x800000, %rax" "mov %rbx, (%rax)");
code!(execute: "mov 0x800000, %rax" "jmp *%rax");

// The number is data.
code!(by_call: "mov 0x800000, %rax" "syscall" "movq $1, 0x800008");
// The gate's first instruction, with the registers of a call that it is for, or of mmap; and
// what follows the call in the gate.
code!(through_the_gate:
    "mov 0x800000, %rax" "mov $0x10000000, %rdi" "mov $4096, %rsi" "mov $7, %rdx" "mov $0x22, %r10"
    "mov $-1, %r8" "xor %r9, %r9" "mov $0x600000000000, %rcx" "jmp *%rcx");
code!(behind_the_call: "mov 0x800000, %rax" "mov $0x600000000002, %rcx" "jmp *%rcx");

/// Where compiled code has `constant` as an operand: `movabs $imm64, %reg`, which is REX.W, B8 +
/// reg, imm64.
pub(crate) fn load_of(constant: u64, code: &[u8]) -> Option<Range<usize>> {
    let bytes = constant.to_le_bytes();
    let at = code.windows(8).position(|window| window == bytes)?;
    Some(at - 2..at + 8)
}

/// `xor %eax, %eax; mov $59, %al; syscall`: execve.
pub(crate) const EXECVE: &[u8] = &[0x31, 0xc0, 0xb0, 59, 0x0f, 0x05];

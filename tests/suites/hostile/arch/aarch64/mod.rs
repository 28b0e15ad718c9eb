//! 64-bit Arm.

mod artefact;
mod instructions;
mod leftovers;

use crate::guest::code;
use std::arch::asm;
use std::ops::Range;

macro_rules! assemble {
    ($($line:expr,)*) => { std::arch::global_asm!($($line,)*); };
}
pub(crate) use assemble;

/// What traps to the host: `brk #0`.
pub(crate) const BREAKPOINT: [u8; 4] = 0xd420_0000u32.to_le_bytes();

/// Arm ARM D24.2.40, ESR_EL1.EC: aborts of data accesses and of instruction fetches.
pub(crate) const ACCESS_FAULT: u8 = 0x24;
pub(crate) const FETCH_FAULT: u8 = 0x20;

/// Where a process has its stack (with 47 and 48 bits of address), and the kernel's own pages.
pub(crate) const EDGES: [u64; 3] = [0x7fff_ffff_e000, 0xffff_ffff_e000, 0xffff_8000_0000_0000];

/// Has what was written as data be seen as instructions: Arm ARM B2.7.4.2.
pub(crate) fn instructions_changed(start: *const u8, len: usize) {
    let sizes: usize;
    // SAFETY: reads a register that only describes the caches.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) sizes, options(nomem, nostack)) };
    let line = 4 << (sizes & 0xf).min(sizes >> 16 & 0xf);
    let lines = (start.addr() & !(line - 1)..start.addr() + len).step_by(line);
    // SAFETY: upkeep of caches changes no memory.
    unsafe {
        lines.clone().for_each(|line| asm!("dc cvau, {}", in(reg) line, options(nostack)));
        asm!("dsb ish", options(nostack));
        lines.for_each(|line| asm!("ic ivau, {}", in(reg) line, options(nostack)));
        asm!("dsb ish", "isb", options(nostack));
    }
}

code!(two_words:
    "mov x9, #0x800000"
    "mov x10, #42" "str x10, [x9]"
    "brk #0"
    "mov x10, #43" "str x10, [x9]");
code!(for_ever: "mov x9, #0x800000" "mov x10, #1" "str x10, [x9]" "1: b 1b");

// The address is data.
code!(read: "mov x9, #0x800000" "ldr x9, [x9]" "ldr x10, [x9]");
code!(write: "mov x9, #0x800000" "ldr x9, [x9]" "str x10, [x9]");
code!(execute: "mov x9, #0x800000" "ldr x9, [x9]" "br x9");

// The number is data.
code!(by_call: "mov x9, #0x800000" "ldr x8, [x9]" "svc #0" "mov x10, #1" "str x10, [x9, #8]");
// The gate's first instruction, with the registers of a call that it is for, or of mmap; and
// what follows the call in the gate.
code!(through_the_gate:
    "mov x9, #0x800000" "ldr x8, [x9]" "mov x0, #0x10000000" "mov x1, #0x4000" "mov x2, #7"
    "mov x3, #0x22" "mov x4, #-1" "mov x5, xzr" "mov x9, xzr" "mov x16, #0x600000000000" "br x16");
code!(behind_the_call:
    "mov x9, xzr" "mov x16, #0x600000000000" "add x16, x16, #4" "br x16");

/// Where compiled code has `constant` as an operand: `movz`, then `movk` for each more of its
/// four halves.
pub(crate) fn load_of(constant: u64, code: &[u8]) -> Option<Range<usize>> {
    const LEN: usize = 4 * 4;
    let halves = [0, 16, 32, 48].map(|shift| constant >> shift & 0xffff);
    let immediate = |word: &[u8]| {
        let word: [u8; 4] = word.try_into().unwrap();
        u64::from(u32::from_le_bytes(word)) >> 5 & 0xffff
    };
    let at = code
        .windows(LEN)
        .step_by(4)
        .position(|window| window.chunks(4).map(immediate).eq(halves))?;
    Some(4 * at..4 * at + LEN)
}

/// `movz x8, #221; svc #0`: execve.
pub(crate) const EXECVE: &[u8] = &[0xa8, 0x1b, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];

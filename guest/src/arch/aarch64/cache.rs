//! Instruction caches, which need not see what was written as data.

use core::arch::asm;

/// Makes bytes that the host has put into memory fit to be executed.
///
/// The stub forgets what was cached before; here what was written is brought to where
/// instructions are fetched from (Arm ARM B2.7.4.2). The runtime may do this itself: the host
/// sets SCTLR_EL1's UCI and UCT.
pub fn make_executable(start: *const u8, len: usize) {
    let kinds: u64;
    // SAFETY: reads a register that only describes the caches.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) kinds, options(nomem, nostack, preserves_flags)) };
    // IDC (bit 28) and DIC (bit 29): nothing to do for data, for instructions.
    let clean = kinds & 1 << 28 == 0;
    let invalidate = kinds & 1 << 29 == 0;
    // Smallest lines, as logarithms of words: DminLine, IminLine.
    let data_line = 4 << (kinds >> 16 & 0xf);
    let instruction_line = 4 << (kinds & 0xf);
    // SAFETY: upkeep of caches changes no memory; the addresses are readable, as the caller's
    // are.
    unsafe {
        if clean {
            for line in lines(start, len, data_line) {
                asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags));
            }
        }
        asm!("dsb ish", options(nostack, preserves_flags));
        if invalidate {
            for line in lines(start, len, instruction_line) {
                asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags));
            }
        }
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

/// Addresses of the lines that hold the bytes.
fn lines(start: *const u8, len: usize, line: usize) -> impl Iterator<Item = usize> {
    let first = start.addr() & !(line - 1);
    (first..start.addr().saturating_add(len)).step_by(line)
}

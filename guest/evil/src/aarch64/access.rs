//! Memory at any address, and making code of it.

use core::arch::asm;

/// A word of 1 << `width` bytes, of any alignment, in one access: the compiler, which is to keep
/// alignment, makes several of what is not aligned.
pub fn read(address: u64, width: u8) -> u64 {
    let word: u64;
    // SAFETY: none but that an attempt is around it.
    unsafe {
        match width & 3 {
            0 => asm!("ldrb {:w}, [{}]", out(reg) word, in(reg) address, options(nostack)),
            1 => asm!("ldrh {:w}, [{}]", out(reg) word, in(reg) address, options(nostack)),
            2 => asm!("ldr {:w}, [{}]", out(reg) word, in(reg) address, options(nostack)),
            _ => asm!("ldr {}, [{}]", out(reg) word, in(reg) address, options(nostack)),
        }
    }
    word
}

/// Writes a word of 1 << `width` bytes, likewise.
pub fn write(address: u64, word: u64, width: u8) {
    // SAFETY: as in `read`.
    unsafe {
        match width & 3 {
            0 => asm!("strb {:w}, [{}]", in(reg) word, in(reg) address, options(nostack)),
            1 => asm!("strh {:w}, [{}]", in(reg) word, in(reg) address, options(nostack)),
            2 => asm!("str {:w}, [{}]", in(reg) word, in(reg) address, options(nostack)),
            _ => asm!("str {}, [{}]", in(reg) word, in(reg) address, options(nostack)),
        }
    }
}

/// Has what was written as data be what is fetched as code, as the host lets EL0 do.
pub fn make_executable(start: u64, len: usize) {
    /// No processor has smaller lines.
    const LINE: usize = 16;
    let first = start & !(LINE as u64 - 1);
    let end = start.saturating_add(len as u64);
    // SAFETY: upkeep of caches changes no memory; what is not there ends the attempt.
    unsafe {
        for line in (first..end).step_by(LINE) {
            asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags));
        }
        asm!("dsb ish", options(nostack, preserves_flags));
        for line in (first..end).step_by(LINE) {
            asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags));
        }
        asm!("dsb ish", "isb", options(nostack, preserves_flags));
    }
}

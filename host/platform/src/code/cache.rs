//! Making what was written as data seen as instructions.

/// Has every core fetch these bytes anew. x86 does so by itself.
#[cfg(target_arch = "x86_64")]
pub(super) fn instructions_changed(_start: *const u8, _len: usize) {}

/// Has every core fetch these bytes anew (Arm ARM, B2.4.4 "Synchronization and coherency
/// issues between data and instruction accesses").
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub(super) fn instructions_changed(start: *const u8, len: usize) {
    use std::arch::asm;
    let sizes: usize;
    // SAFETY: reads a register that user code may read under Linux.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) sizes, options(nomem, nostack, preserves_flags)) };
    // Words in the smallest line of the data cache, and of the instruction cache, as powers
    // of 2; a word is 4 bytes.
    let (data, instructions) = (4 << (sizes >> 16 & 15), 4 << (sizes & 15));
    let end = start.addr() + len;
    for line in (start.addr() & !(data - 1)..end).step_by(data) {
        // SAFETY: writes back a line of mapped memory.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in (start.addr() & !(instructions - 1)..end).step_by(instructions) {
        // SAFETY: forgets a line of mapped memory.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}

/// Has every core fetch these bytes anew.
#[cfg(all(target_arch = "aarch64", target_os = "macos"))]
pub(super) fn instructions_changed(start: *const u8, len: usize) {
    // `libkern/OSCacheControl.h`.
    unsafe extern "C" {
        fn sys_icache_invalidate(start: *const u8, len: usize);
    }
    // SAFETY: the range is mapped; nothing but caches changes.
    unsafe { sys_icache_invalidate(start, len) };
}

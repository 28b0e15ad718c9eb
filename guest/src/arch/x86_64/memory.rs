//! `memcpy` and its kin, which the compiler calls and no C library provides here.
//!
//! Small blocks are moved by overlapping words, large ones by the string instructions, which
//! every processor since 2012 runs at full width (ERMS) and which need no vector state.

use core::arch::asm;

/// Shortest block for the string instructions: below, their start-up cost dominates.
const STRING_MIN: usize = 256;

/// Moves `N` bytes as one unaligned load and store.
macro_rules! word {
    ($ty:ty, $src:expr) => {
        $src.cast::<$ty>().read_unaligned()
    };
}

/// # Safety
///
/// 1. `src` is valid for reads of `len` bytes, 2. `dest` is valid for writes of `len` bytes.
///
/// The blocks may overlap: everything is loaded before anything is stored.
#[inline(always)]
unsafe fn move_small(dest: *mut u8, src: *const u8, len: usize) {
    // SAFETY: every access lies within the first or the last `width <= len` bytes (1, 2).
    unsafe {
        macro_rules! ends {
            ($ty:ty) => {{
                let (first, last) = (word!($ty, src), word!($ty, src.add(len - size_of::<$ty>())));
                dest.cast::<$ty>().write_unaligned(first);
                dest.add(len - size_of::<$ty>()).cast::<$ty>().write_unaligned(last);
            }};
        }
        match len {
            0 => {}
            1 => *dest = *src,
            2..4 => ends!(u16),
            4..8 => ends!(u32),
            8..16 => ends!(u64),
            16..=32 => ends!(u128),
            _ => {
                let (a, b) = (word!(u128, src), word!(u128, src.add(16)));
                let (y, z) = (word!(u128, src.add(len - 32)), word!(u128, src.add(len - 16)));
                dest.cast::<u128>().write_unaligned(a);
                dest.add(16).cast::<u128>().write_unaligned(b);
                dest.add(len - 32).cast::<u128>().write_unaligned(y);
                dest.add(len - 16).cast::<u128>().write_unaligned(z);
            }
        }
    }
}

/// # Safety
///
/// As C's `memcpy`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(dest: *mut u8, src: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's promise is `move_small`'s and the string instruction's.
    unsafe {
        if len <= 64 {
            move_small(dest, src, len);
        } else if len < STRING_MIN {
            let mut at = 0;
            while at + 32 < len {
                let (a, b) = (word!(u128, src.add(at)), word!(u128, src.add(at + 16)));
                dest.add(at).cast::<u128>().write_unaligned(a);
                dest.add(at + 16).cast::<u128>().write_unaligned(b);
                at += 32;
            }
            move_small(dest.add(at), src.add(at), len - at);
        } else {
            asm!(
                "rep movsb",
                inout("rcx") len => _, inout("rdi") dest => _, inout("rsi") src => _,
                options(nostack, preserves_flags),
            );
        }
    }
    dest
}

/// # Safety
///
/// As C's `memmove`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(dest: *mut u8, src: *const u8, len: usize) -> *mut u8 {
    // SAFETY: the caller's promise covers both blocks; the direction keeps bytes that are
    // still to be read from being overwritten.
    unsafe {
        if len <= 64 {
            move_small(dest, src, len);
        } else if dest.addr().wrapping_sub(src.addr()) >= len {
            // `dest` is below `src` or past its end: a forward copy is safe.
            asm!(
                "rep movsb",
                inout("rcx") len => _, inout("rdi") dest => _, inout("rsi") src => _,
                options(nostack, preserves_flags),
            );
        } else {
            let mut end = len;
            while end >= 64 {
                end -= 32;
                move_small(dest.add(end), src.add(end), 32);
            }
            move_small(dest, src, end);
        }
    }
    dest
}

/// # Safety
///
/// As C's `memset`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(dest: *mut u8, byte: i32, len: usize) -> *mut u8 {
    #[expect(clippy::cast_possible_truncation, reason = "C's memset takes the low byte")]
    let byte = byte.cast_unsigned() as u8;
    let wide = u128::from_ne_bytes([byte; 16]);
    // SAFETY: every store lies within the `len` bytes that the caller vouches for.
    unsafe {
        match len {
            0..16 => {
                let mut at = 0;
                while at < len {
                    dest.add(at).write_volatile(byte);
                    at += 1;
                }
            }
            16..STRING_MIN => {
                let mut at = 0;
                while at + 16 < len {
                    dest.add(at).cast::<u128>().write_unaligned(wide);
                    at += 16;
                }
                dest.add(len - 16).cast::<u128>().write_unaligned(wide);
            }
            _ => asm!(
                "rep stosb",
                inout("rcx") len => _, inout("rdi") dest => _, in("al") byte,
                options(nostack, preserves_flags),
            ),
        }
    }
    dest
}

/// # Safety
///
/// As C's `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    let mut at = 0;
    // SAFETY: both blocks are valid for reads of `len` bytes, by the caller's promise.
    unsafe {
        while at + 8 <= len {
            let (x, y) = (word!(u64, a.add(at)), word!(u64, b.add(at)));
            if x != y {
                return if x.swap_bytes() < y.swap_bytes() { -1 } else { 1 };
            }
            at += 8;
        }
        while at < len {
            let (x, y) = (a.add(at).read_volatile(), b.add(at).read_volatile());
            if x != y {
                return i32::from(x) - i32::from(y);
            }
            at += 1;
        }
    }
    0
}

/// # Safety
///
/// As C's `bcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
    // SAFETY: the same promise.
    unsafe { memcmp(a, b, len) }
}

/// # Safety
///
/// As C's `strlen`.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: the caller vouches for a terminating zero.
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}

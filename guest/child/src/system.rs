//! System calls, without a library. Numbers: the kernel's `syscall_64.tbl`.

use core::arch::asm;

/// A system call that the child makes while it prepares itself.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Call {
    Mmap = 9,
    SigProcMask = 14,
    SetSid = 112,
    CapSet = 126,
    Prctl = 157,
    ArchPrctl = 158,
    PrLimit = 302,
    Seccomp = 317,
    CloseRange = 436,
}

/// Makes a call whose pointers, if it takes any, are to data that lives.
///
/// # Errors
///
/// The errno.
pub fn call(call: Call, arguments: [u64; 6]) -> Result<u64, u32> {
    let [a, b, c, d, e, f] = arguments;
    let result: i64;
    // SAFETY: this program has one thread and is its process's only code, so that it has no
    // invariant that one of the calls above could break: they map memory where there is none,
    // or read what they are given.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") call as u64 => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    match result {
        0.. => Ok(result.cast_unsigned()),
        #[expect(clippy::cast_possible_truncation, reason = "an errno is below 4096")]
        _ => Err(result.unsigned_abs() as u32),
    }
}

/// An address for the kernel, which reads what is there.
pub fn address<T>(of: *const T) -> u64 {
    of.expose_provenance() as u64
}

/// Executes an instruction that there is not.
pub fn give_up() {
    // SAFETY: it has no effect but to stop this process.
    unsafe { asm!("ud2") };
}

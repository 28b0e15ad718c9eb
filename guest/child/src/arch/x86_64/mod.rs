//! x86-64.

use crate::prepare;
use crate::system::{call, deny_clock};
use core::arch::x86_64::__cpuid;
use core::arch::{asm, global_asm};
use wrt_abi::process::{CLOCK_FAULTS, CPUID_FAULTS, Report, X86_SYSCALL_LEN};

global_asm!(
    include_str!("gate.S"),
    prepare = sym prepare,
    options(att_syntax),
);

/// A system call that the child makes while it prepares itself: `syscall_64.tbl`.
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

/// `AUDIT_ARCH_X86_64`: calls in the 64-bit convention.
pub const CONVENTION: u32 = 0xc000_003e;
/// `mprotect`, `munmap`, `mremap`.
pub const MAPPING_CALLS: [u32; 3] = [10, 11, 25];
/// Length of the instruction that the gate begins with.
pub const CALL_LEN: u64 = X86_SYSCALL_LEN;

const ARCH_SET_CPUID: u64 = 0x1012;

/// Makes a system call.
///
/// # Safety
///
/// It does nothing that the compiler does not expect of foreign code: pointers in it lead to
/// data that lives, and no memory that anybody uses goes away.
pub unsafe fn enter(call: Call, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the caller's; the kernel changes no other register.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") call as u64 => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Keeps from the guest what it could learn of the processor; says what.
///
/// # Errors
///
/// The errno, where the time stamp counter cannot be denied: every kernel can.
pub fn keep_processor() -> Result<Report, u32> {
    deny_clock()?;
    // Not every processor can. In a VM each switch to and from this process would be two exits
    // of that VM, 10 us where the mailbox takes 5; there, too, the answer is a hypervisor's.
    if !is_in_vm() && call(Call::ArchPrctl, [ARCH_SET_CPUID, 0, 0, 0, 0, 0]).is_ok() {
        return Ok(CLOCK_FAULTS | CPUID_FAULTS);
    }
    Ok(CLOCK_FAULTS)
}

/// Whether the processor is a hypervisor's: CPUID leaf 1, ECX bit 31.
fn is_in_vm() -> bool {
    __cpuid(1).ecx >> 31 == 1
}

/// Executes an instruction that there is not.
pub fn give_up() {
    // SAFETY: it has no effect but to stop this process.
    unsafe { asm!("ud2") };
}

//! 64-bit Arm.

use crate::prepare;
use crate::system::deny_clock;
use core::arch::{asm, global_asm};
use wrt_abi::process::{ARM_SVC_LEN, CLOCK_FAULTS, Report};

global_asm!(include_str!("gate.S"), prepare = sym prepare);

/// A system call that the child makes while it prepares itself: `asm-generic/unistd.h`.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Call {
    CapSet = 91,
    SigProcMask = 135,
    SetSid = 157,
    Prctl = 167,
    Mmap = 222,
    PrLimit = 261,
    Seccomp = 277,
    CloseRange = 436,
}

/// `AUDIT_ARCH_AARCH64`: calls of 64-bit code.
pub const CONVENTION: u32 = 0xc000_00b7;
/// `munmap`, `mremap`, `mprotect`.
pub const MAPPING_CALLS: [u32; 3] = [215, 216, 226];
/// Length of the instruction that the gate begins with.
pub const CALL_LEN: u64 = ARM_SVC_LEN;

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
            "svc #0",
            in("x8") call as u64,
            inlateout("x0") a => result,
            in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    result
}

/// Keeps from the guest what it could learn of the processor; says what. The counter of time
/// can be denied from Linux 6.12 on. What the identifying registers say is the kernel's own
/// answer, the same for all processes.
///
/// # Errors
///
/// None: what cannot be denied is not reported.
pub fn keep_processor() -> Result<Report, u32> {
    Ok(deny_clock().map_or(0, |_| CLOCK_FAULTS))
}

/// Executes an instruction that there is not.
pub fn give_up() {
    // SAFETY: it has no effect but to stop this process.
    unsafe { asm!("udf #0") };
}

//! System calls, without a library.

use crate::arch;
pub use crate::arch::Call;

const PR_SET_TSC: u64 = 26;
const PR_TSC_SIGSEGV: u64 = 2;

/// Makes a call whose pointers, if it takes any, are to data that lives.
///
/// # Errors
///
/// The errno.
pub fn call(call: Call, arguments: [u64; 6]) -> Result<u64, u32> {
    // SAFETY: this program has one thread and is its process's only code, so that it has no
    // invariant that one of the calls could break: they map memory where there is none, or
    // read what they are given.
    match unsafe { arch::enter(call, arguments) } {
        result @ 0.. => Ok(result.cast_unsigned()),
        #[expect(clippy::cast_possible_truncation, reason = "an errno is below 4096")]
        error => Err(error.unsigned_abs() as u32),
    }
}

/// Calls `prctl`.
///
/// # Errors
///
/// As [`call`].
pub fn control(option: u64, argument: u64) -> Result<u64, u32> {
    call(Call::Prctl, [option, argument, 0, 0, 0, 0])
}

/// Has the processor's clock denied to this process.
///
/// # Errors
///
/// As [`call`].
pub fn deny_clock() -> Result<u64, u32> {
    control(PR_SET_TSC, PR_TSC_SIGSEGV)
}

/// An address for the kernel, which reads what is there.
pub fn address<T>(of: *const T) -> u64 {
    of.expose_provenance() as u64
}

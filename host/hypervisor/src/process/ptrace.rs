//! The requests of `ptrace(2)` that a tracer makes.
//!
//! By the system call itself: C libraries disagree about the type of a request's number.

use std::ffi::{c_long, c_void};
use std::io;

/// What can be asked without a pointer, by its number in `linux/ptrace.h`.
#[derive(Clone, Copy, Debug)]
#[repr(i64)]
pub(super) enum Request {
    /// Have the child go on.
    Continue = 7,
    /// Have it go on to its next system call, which is not made (`PTRACE_SYSEMU`).
    EmulateCalls = 31,
    /// Set options.
    SetOptions = 0x4200,
}

const GETSIGINFO: c_long = 0x4202;
const GETREGSET: c_long = 0x4204;
const SETREGSET: c_long = 0x4205;

/// Makes a request.
pub(super) fn request(pid: libc::pid_t, request: Request, data: usize) -> io::Result<()> {
    let data = std::ptr::without_provenance_mut(data);
    // SAFETY: these requests read and write no memory of this process.
    unsafe { call(request as c_long, pid, std::ptr::null_mut(), data) }
}

/// The signal for which the child has stopped.
pub(super) fn signal(pid: libc::pid_t) -> io::Result<libc::siginfo_t> {
    // SAFETY: an all-zero `siginfo_t` is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: there is room for what this request fills in.
    unsafe { call(GETSIGINFO, pid, std::ptr::null_mut(), (&raw mut info).cast()) }?;
    Ok(info)
}

/// Reads a set of registers (`NT_...` of `linux/elf.h`), and returns how many bytes it has.
pub(super) fn registers(pid: libc::pid_t, set: u32, into: &mut [u8]) -> io::Result<usize> {
    let mut part = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    // SAFETY: this request fills in what `part` describes, and how much of it.
    unsafe { call(GETREGSET, pid, number(set), (&raw mut part).cast()) }?;
    Ok(part.iov_len)
}

/// Writes a set of registers.
pub(super) fn set_registers(pid: libc::pid_t, set: u32, from: &[u8]) -> io::Result<()> {
    let base = from.as_ptr().cast_mut().cast();
    let mut part = libc::iovec { iov_base: base, iov_len: from.len() };
    // SAFETY: this request reads what `part` describes, and writes only to `part`.
    unsafe { call(SETREGSET, pid, number(set), (&raw mut part).cast()) }
}

/// A number in a pointer's place.
fn number(set: u32) -> *mut c_void {
    std::ptr::without_provenance_mut(set as usize)
}

/// Any request.
///
/// # Safety
///
/// The request may do what it does with the memory that `address` and `data` lead to.
pub(super) unsafe fn call(
    request: c_long,
    pid: libc::pid_t,
    address: *mut c_void,
    data: *mut c_void,
) -> io::Result<()> {
    let pid = c_long::from(pid);
    // SAFETY: the caller's; what happens to the traced process is not this one's.
    let done = unsafe { libc::syscall(libc::SYS_ptrace, request, pid, address, data) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

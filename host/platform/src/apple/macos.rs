//! Questions to macOS's kernel.

use std::ffi::{CStr, c_int, c_uint, c_void};
use std::ptr;

/// The longest text that is asked for.
const TEXT_MAX: usize = 256;
/// The longest entitlements that the kernel takes are shorter.
const ENTITLEMENTS_MAX: usize = 1 << 20;
/// A blob's magic number and length come before its contents.
const HEADER: usize = 8;
/// `CS_OPS_ENTITLEMENTS_BLOB` (`sys/codesign.h` of the published kernel sources).
const ENTITLEMENTS: c_uint = 7;

unsafe extern "C" {
    /// What the kernel knows of a process's signature. In no header of the SDK, but in the
    /// system's library since there are signatures; the documented way, `SecTask`, would bring
    /// in two frameworks and asks the same.
    fn csops(pid: libc::pid_t, operation: c_uint, to: *mut c_void, len: usize) -> c_int;
}

/// A value of sysctl(3): its bytes.
fn value<const MAX: usize>(name: &CStr) -> Option<([u8; MAX], usize)> {
    let (mut bytes, mut len) = ([0; MAX], MAX);
    // SAFETY: the name ends, and `len` is the length of a place that is ours.
    let answer = unsafe {
        let to = bytes.as_mut_ptr().cast();
        libc::sysctlbyname(name.as_ptr(), to, &raw mut len, ptr::null_mut(), 0)
    };
    (answer == 0 && len <= MAX).then_some((bytes, len))
}

pub(super) fn text(name: &CStr) -> Option<String> {
    let (bytes, len) = value::<TEXT_MAX>(name)?;
    Some(CStr::from_bytes_until_nul(&bytes[..len]).ok()?.to_str().ok()?.to_owned())
}

pub(super) fn truth(name: &CStr) -> Option<bool> {
    match value::<{ size_of::<c_int>() }>(name)? {
        (bytes, len) if len == bytes.len() => Some(c_int::from_ne_bytes(bytes) != 0),
        _ => None,
    }
}

/// This process's entitlements, empty if there are none.
pub(super) fn entitlements() -> Option<String> {
    let mut blob = vec![0_u8; ENTITLEMENTS_MAX];
    // SAFETY: the place is ours, and as long as is said.
    let answer = unsafe {
        let own = libc::getpid();
        csops(own, ENTITLEMENTS, blob.as_mut_ptr().cast(), blob.len())
    };
    if answer != 0 {
        return None;
    }
    let len = u32::from_be_bytes(*blob.get(4..)?.first_chunk()?) as usize;
    // Without entitlements nothing was written.
    let contents = blob.get(HEADER..len).unwrap_or_default();
    Some(String::from_utf8_lossy(contents).into_owned())
}

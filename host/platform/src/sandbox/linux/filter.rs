//! The filter of system calls: made from the table, installed for all threads.

use super::super::{Profile, SandboxError};
use super::root::Root;
use super::{bpf, calls};
use seccompiler::{Error, apply_filter_all_threads};

/// Binds all threads. Whether the kernel has filters at all.
pub(super) fn enter(profile: &Profile, root: &Root) -> Result<bool, SandboxError> {
    let confined = root.is_a_wall();
    match apply_filter_all_threads(&bpf::program(&calls::table(profile, confined))) {
        Ok(()) => Ok(true),
        Err(Error::Seccomp(error)) if is_missing(&error) => Ok(false),
        Err(error) => Err(SandboxError::Calls(error.to_string())),
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

/// Whether the kernel has filters at all.
pub(super) fn is_there() -> bool {
    // SAFETY: the kernel looks for the filter before it does anything: null is none (EFAULT), and
    // where there are no filters, the operation is unknown (EINVAL).
    let failed = unsafe {
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, std::ptr::null::<u8>(), 0, 0)
    };
    failed != 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}

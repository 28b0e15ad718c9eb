//! The filter of system calls: made from the table, installed for all threads.

use super::super::{Profile, SandboxError};
use super::{bpf, calls};
use seccompiler::{Error, apply_filter_all_threads};

/// Binds all threads. Whether the kernel has filters at all.
pub(super) fn enter(profile: &Profile) -> Result<bool, SandboxError> {
    match apply_filter_all_threads(&bpf::program(&calls::table(profile))) {
        Ok(()) => Ok(true),
        Err(Error::Seccomp(error)) if is_missing(&error) => Ok(false),
        Err(error) => Err(SandboxError::Calls(error.to_string())),
    }
}

fn is_missing(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL))
}

//! Limits of this process that keep memory from it, which the system's errors do not name.

use rustix::process::{Resource, getrlimit};
use std::io;

/// The error of a call that maps memory or changes a mapping, with the limit that is behind it, if
/// one is, and what can be done about it.
pub fn name_limit(error: io::Error) -> io::Error {
    match limit_behind(&error) {
        Some(limit) => io::Error::new(error.kind(), format!("{error}: {limit}")),
        None => error,
    }
}

/// Whether the process's limit of address space leaves so many bytes to one mapping, of it or of a
/// child that has the same limit.
///
/// # Errors
///
/// `OutOfMemory`, with the limit and what can be done about it.
pub fn check_address_space(bytes: u64) -> io::Result<()> {
    match getrlimit(Resource::As).current {
        Some(limit) if limit < bytes => Err(name_limit(io::Error::from_raw_os_error(libc::ENOMEM))),
        _ => Ok(()),
    }
}

fn limit_behind(error: &io::Error) -> Option<String> {
    match error.raw_os_error()? {
        libc::ENOMEM => [
            (Resource::As, "address space (RLIMIT_AS)", "ulimit -v unlimited"),
            (Resource::Data, "data (RLIMIT_DATA)", "ulimit -d unlimited"),
        ]
        .into_iter()
        .find_map(|(resource, what, remedy)| {
            let mib = getrlimit(resource).current? >> 20;
            Some(format!(
                "this process may have {mib} MiB of {what}, and a VM reserves more than it uses; \
                 raise the limit: `{remedy}`"
            ))
        }),
        libc::EACCES | libc::EPERM if denies_new_code() => Some(
            "no memory of this process may become executable (PR_SET_MDWE): start it without that, \
             in a systemd unit without MemoryDenyWriteExecute=, or use KVM, which needs none"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Whether the process has given up to make memory executable (Linux 6.3).
#[cfg(target_os = "linux")]
fn denies_new_code() -> bool {
    /// `PR_GET_MDWE` of `linux/prctl.h`.
    const GET_MDWE: libc::c_int = 66;
    // SAFETY: a number is returned; no memory is involved.
    let bits = unsafe { libc::prctl(GET_MDWE, 0, 0, 0, 0) };
    bits > 0 && bits & 1 != 0
}

#[cfg(not(target_os = "linux"))]
fn denies_new_code() -> bool {
    false
}

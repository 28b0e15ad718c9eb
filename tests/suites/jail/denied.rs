//! A command that the system grants less.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Denies a command these system calls, with `EPERM`.
pub(crate) fn deny(command: &mut Command, calls: &[libc::c_long]) {
    // `linux/bpf_common.h`, `linux/seccomp.h`.
    const LOAD: u16 = 0x20;
    const EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7fff_0000;
    const ERRNO: u32 = 0x0005_0000 | libc::EPERM.cast_unsigned();
    if calls.is_empty() {
        return;
    }
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = vec![step(LOAD, 0, 0, 0)];
    for call in calls {
        steps.push(step(EQUAL, 0, 1, u32::try_from(*call).unwrap()));
        steps.push(step(RETURN, 0, 0, ERRNO));
    }
    steps.push(step(RETURN, 0, 0, ALLOW));
    let enter = move || {
        let len = u16::try_from(steps.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len, filter: steps.as_ptr().cast_mut() };
        // SAFETY: numbers, and a program that outlives the call.
        let failed = unsafe {
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
                    != 0
        };
        if failed { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    // SAFETY: between fork and exec it makes two system calls with memory that was there before.
    unsafe { command.pre_exec(enter) };
}

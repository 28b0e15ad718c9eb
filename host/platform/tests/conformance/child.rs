//! Other processes: to see what a fork inherits, and to survive what kills.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

/// Forks; the child runs `body`, which must not allocate, lock or panic, and exits with what it
/// returns. Gives the status that the parent sees.
pub(crate) fn fork(body: impl FnOnce() -> u8) -> ExitStatus {
    // SAFETY: fork(2); the child does only what is async-signal-safe (above), and exits.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        let code = body();
        // SAFETY: _exit(2).
        unsafe { libc::_exit(code.into()) };
    }
    let mut status = 0;
    // SAFETY: waitpid(2) of the child just made.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    ExitStatus::from_raw(status)
}

/// Whether a process died because it touched memory that it must not.
pub(crate) fn faulted(status: ExitStatus) -> bool {
    [Some(libc::SIGSEGV), Some(libc::SIGBUS)].contains(&status.signal())
}

const ROLE: &str = "WRT_CONFORMANCE_CHILD";

/// Whether this process is the child of `rerun`.
pub(crate) fn is_child() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// This test program again, with one test in the role of the child.
pub(crate) fn rerun(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, "1");
    command
}

//! Signals that end the process.

use crate::trace::finish_all_at_once;
use signal_hook::consts::{SIGALRM, SIGINT};
use signal_hook::low_level;
use std::io;
use std::time::Duration;

/// Has Ctrl-C end the process at once, with this exit code. Output that was passed to the
/// system stays, and traces are finished; nothing else needs cleaning up, since every resource of
/// a VM is the process's own.
///
/// # Errors
///
/// When the system refuses the handler.
pub fn exit_on_interrupt(code: u8) -> io::Result<()> {
    let end = move || {
        finish_all_at_once();
        low_level::exit(code.into());
    };
    // SAFETY: the handler allocates nothing and waits for nothing, and calls `write` and `_exit`
    // alone (`signal-safety(7)`).
    unsafe { low_level::register(SIGINT, end) }.map(|_| ())
}

/// Has the process end by itself after `time`, rounded up to a second, with a last line on standard
/// error and this exit code. There is one such time for a process, the latest that was set; no
/// thread waits for it.
///
/// # Errors
///
/// When the system refuses the handler.
pub fn exit_after(time: Duration, last_line: &str, code: u8) -> io::Result<()> {
    let line = format!("{last_line}\n").into_bytes();
    let end = move || {
        // SAFETY: async-signal-safe (`signal-safety(7)`), and the line lives as long as the
        // handler. A closed standard error is nobody's fault.
        unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
        finish_all_at_once();
        low_level::exit(code.into());
    };
    // SAFETY: as in `exit_on_interrupt`.
    unsafe { low_level::register(SIGALRM, end) }?;
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1);
    // SAFETY: a plain call, which cannot fail. What no alarm reaches is as good as never.
    unsafe { libc::alarm(u32::try_from(seconds).unwrap_or(u32::MAX)) };
    Ok(())
}

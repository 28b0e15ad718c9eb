//! Signals that end the process.

use signal_hook::consts::SIGINT;
use signal_hook::low_level;
use std::io;

/// Has Ctrl-C end the process at once, with this exit code. Output that was passed to the
/// system stays; nothing else needs cleaning up, since every resource of a VM is the
/// process's own.
///
/// # Errors
///
/// When the system refuses the handler.
pub fn exit_on_interrupt(code: u8) -> io::Result<()> {
    // SAFETY: `low_level::exit` is async-signal-safe (`_exit`).
    unsafe { low_level::register(SIGINT, move || low_level::exit(code.into())) }.map(|_| ())
}

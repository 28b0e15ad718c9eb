//! Ctrl-C, SIGTERM and SIGHUP: programs are ended, `--stats` and `--trace` finished.
//!
//! A signal ends the calls of all VMs of this process; how each program ended is then reported
//! as usual, without words, and the exit code tells the signal. All of it has two seconds.

use std::sync::OnceLock;
use std::time::Duration;
use wrt_platform::signal::on_termination;
use wrt_platform::stdio::be_impatient;
use wrt_vm::Engine;

/// How long the end waits for streams that are not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// What runs this process's programs.
static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Has a signal end the programs of an engine. One that comes before [`listen`] ends the process.
pub(super) fn ends(engine: &Engine) {
    // A command has one.
    let _ = ENGINE.set(engine.clone());
}

/// Listens to the signals, on a thread of its own: to be called when this process is in its jail,
/// or if it enters none.
pub(super) fn listen() {
    let told = || {
        be_impatient(PATIENCE);
        if let Some(engine) = ENGINE.get() {
            engine.cancel_all();
        }
    };
    // The first time counts.
    if let Err(error) = on_termination(told) {
        // Then a signal ends the process as it is.
        tracing::warn!("cannot listen to signals: {error}");
    }
}

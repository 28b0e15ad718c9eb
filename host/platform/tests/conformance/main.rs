//! One suite that runs on every system: what the portable face promises, each promise by a test
//! that fails without it. A test that cannot run here says `skipped:` and why.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod allocator;
mod child;
mod citizen;
mod code;
mod copy;
mod dispatch;
mod lock;
mod log;
mod pressure;
mod purgeable;
mod sandbox;
mod trace;
mod vector;

/// How long something may take that takes no time.
const LONG: std::time::Duration = std::time::Duration::from_secs(15);

/// Runs what would wait for ever if the implementation were wrong: that is a failure, too.
fn ends(body: impl FnOnce() + Send + 'static) {
    let (alive, over) = std::sync::mpsc::channel::<()>();
    let body = std::thread::spawn(move || {
        let _alive = alive;
        body();
    });
    let state = over.recv_timeout(2 * LONG);
    assert_eq!(state, Err(std::sync::mpsc::RecvTimeoutError::Disconnected), "it waits for ever");
    if let Err(panic) = body.join() {
        std::panic::resume_unwind(panic);
    }
}

//! One thread of the pool.

use super::{Band, Priority};
use std::cell::Cell;
use std::io;
use std::thread::Builder;

thread_local! {
    /// The band that this thread belongs to.
    static BAND: Cell<Option<&'static Band>> = const { Cell::new(None) };
}

/// Starts a thread of a band.
pub(super) fn start(band: &'static Band, priority: Priority) -> io::Result<()> {
    let name = match priority {
        Priority::Normal => "dispatch",
        Priority::Low => "dispatch low",
        Priority::Idle => "dispatch idle",
    };
    let work = move || {
        lower(priority);
        BAND.set(Some(band));
        band.work();
    };
    Builder::new().name(name.into()).spawn(work).map(|_| ())
}

/// Lowers this thread's priority. Best effort: without it the work is done all the same.
fn lower(priority: Priority) {
    let (nice, policy) = match priority {
        Priority::Normal => return,
        Priority::Low => (5, libc::SCHED_BATCH),
        Priority::Idle => (19, libc::SCHED_IDLE),
    };
    // On Linux it is the thread that a priority belongs to.
    let _ = rustix::process::setpriority_process(None, nice);
    // SAFETY: a structure of numbers, of which musl has more than glibc; these policies want
    // zeros. sched_setscheduler(2) of the calling thread reads it.
    unsafe {
        let parameters: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, policy, &raw const parameters)
    };
}

/// Waits for something. If it is a thread of the pool that does, another takes its place.
pub(in super::super) fn blocking<R>(wait: impl FnOnce() -> R) -> R {
    let Some(band) = BAND.get() else { return wait() };
    band.blocks();
    let result = wait();
    band.unblocks();
    result
}

/// Whether a thread of this process is asleep, as `/proc` says.
pub(super) fn is_asleep(thread: i32) -> bool {
    let stat = std::fs::read(format!("/proc/self/task/{thread}/stat")).unwrap_or_default();
    // The state follows the name in parentheses, which may hold anything.
    let state = stat.iter().rposition(|byte| *byte == b')').and_then(|at| stat.get(at + 2));
    matches!(state, Some(b'S' | b'D'))
}

//! Waiting for standard input without reading it.
//!
//! A descriptor is waited for by `poll`, and a program by a future. One thread of the process
//! brings them together: it waits for input while some program does, and wakes all of them. It takes
//! no byte, so that what a program does not read is there for others.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::os::fd::AsFd as _;
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;

/// What programs and the thread tell each other.
#[derive(Default)]
struct Arrival {
    /// Whether a program waits.
    wanted: Mutex<bool>,
    asked: Condvar,
    arrived: Notify,
}

/// Waits until a read of standard input would return at once.
pub(super) async fn of_input() {
    static ARRIVAL: OnceLock<Option<&'static Arrival>> = OnceLock::new();
    let arrival = ARRIVAL.get_or_init(|| {
        let arrival: &Arrival = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("wrt-vm input".to_owned());
        thread.spawn(|| arrival.watch()).ok().map(|_| arrival)
    });
    // Without a thread, the read itself waits.
    let Some(arrival) = arrival else { return };
    while !has_input(false) {
        let notified = arrival.arrived.notified();
        tokio::pin!(notified);
        // Listen first, then ask: what arrives in between is heard.
        notified.as_mut().enable();
        *arrival.wanted.lock().unwrap_or_else(PoisonError::into_inner) = true;
        arrival.asked.notify_one();
        notified.await;
    }
}

impl Arrival {
    fn watch(&self) {
        loop {
            let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
            while !std::mem::take(&mut *wanted) {
                wanted = self.asked.wait(wanted).unwrap_or_else(PoisonError::into_inner);
            }
            drop(wanted);
            has_input(true);
            self.arrived.notify_waiters();
        }
    }
}

/// Whether a read would return at once; waits until it would, if that is asked for.
fn has_input(wait: bool) -> bool {
    let stdin = std::io::stdin();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let time = if wait { None } else { Some(&now) };
    loop {
        match poll(&mut [PollFd::new(&stdin.as_fd(), PollFlags::IN)], time) {
            Err(Errno::INTR) => {}
            // An error is what a read returns at once.
            ready => return ready != Ok(0),
        }
    }
}

//! Ends calls at their deadlines: one thread for the whole process, started when it is needed.

use super::cancel::{CallGuard, CancelState};
use crate::error::{Error, Interruption};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Alarms by time; the number keeps equal times apart.
type Alarms = BTreeMap<(Instant, u64), (Arc<CancelState>, u64)>;

struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    alarms: Alarms,
    /// The number of the latest alarm.
    latest: u64,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread is to end.
    resting: bool,
}

static WATCHDOG: Watchdog = Watchdog {
    state: Mutex::new(State { alarms: Alarms::new(), latest: 0, thread: None, resting: false }),
    changed: Condvar::new(),
};

/// Begins a call that ends by `deadline`, unless it is to end already.
pub(crate) fn begin_call(
    cancel: &Arc<CancelState>,
    deadline: Option<Instant>,
) -> Result<(Option<Alarm>, CallGuard), Error> {
    let call = cancel.begin();
    let alarm = match deadline {
        Some(deadline) if deadline <= Instant::now() => {
            return Err(Error::Interrupted(Interruption::TimedOut));
        }
        Some(deadline) => Some(arm(deadline, cancel)),
        None => None,
    };
    match cancel.interruption() {
        Some(why) => Err(Error::Interrupted(why)),
        None => Ok((alarm, call)),
    }
}

/// An alarm that is set; dropping it takes it back.
pub(crate) struct Alarm {
    key: (Instant, u64),
}

/// Ends the running call of `cancel` at `deadline`, unless the alarm is dropped before.
fn arm(deadline: Instant, cancel: &Arc<CancelState>) -> Alarm {
    let mut state = WATCHDOG.lock();
    state.latest += 1;
    let key = (deadline, state.latest);
    state.alarms.insert(key, (Arc::clone(cancel), cancel.current()));
    if state.thread.is_none() {
        let thread = std::thread::Builder::new().name("wrt-vm watchdog".to_owned());
        // Without a thread there is no time limit; a process that cannot start one cannot
        // run a VM either, and says so there.
        match thread.spawn(|| WATCHDOG.watch()) {
            Ok(thread) => state.thread = Some(thread),
            Err(error) => tracing::error!("cannot start the watchdog: {error}"),
        }
    }
    WATCHDOG.changed.notify_one();
    Alarm { key }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        WATCHDOG.lock().alarms.remove(&self.key);
    }
}

/// Has the thread end, if there is nothing for it to do: what this thread gives up next, that one
/// shall not keep.
pub(crate) fn rest() {
    let mut state = WATCHDOG.lock();
    if !state.alarms.is_empty() {
        return;
    }
    if let Some(thread) = state.thread.take() {
        state.resting = true;
        WATCHDOG.changed.notify_one();
        drop(state);
        // It does not panic; if it did, it would be gone as well.
        let _ = thread.join();
    }
}

impl Watchdog {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) {
        let mut state = self.lock();
        while !std::mem::take(&mut state.resting) {
            let now = Instant::now();
            while let Some(entry) = state.alarms.first_entry().filter(|entry| entry.key().0 <= now)
            {
                let (cancel, call) = entry.remove();
                cancel.cancel(call, Interruption::TimedOut);
            }
            let next = state.alarms.keys().next().map(|key| key.0 - now);
            state = match next {
                Some(wait) => {
                    let waited = self.changed.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

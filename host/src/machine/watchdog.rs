//! Ends calls at their deadlines: one thread for the whole process, started on first use.

use super::cancel::{CallGuard, CancelState};
use crate::error::{Error, Interruption};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// Alarms by time; the number keeps equal times apart.
type Alarms = BTreeMap<(Instant, u64), (Arc<CancelState>, u64)>;

#[derive(Default)]
struct Watchdog {
    alarms: Mutex<(Alarms, u64)>,
    changed: Condvar,
}

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
    let watchdog = watchdog();
    let mut alarms = watchdog.alarms.lock().unwrap_or_else(PoisonError::into_inner);
    alarms.1 += 1;
    let key = (deadline, alarms.1);
    alarms.0.insert(key, (Arc::clone(cancel), cancel.current()));
    watchdog.changed.notify_one();
    Alarm { key }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let mut alarms = watchdog().alarms.lock().unwrap_or_else(PoisonError::into_inner);
        alarms.0.remove(&self.key);
    }
}

fn watchdog() -> &'static Watchdog {
    static WATCHDOG: OnceLock<&'static Watchdog> = OnceLock::new();
    WATCHDOG.get_or_init(|| {
        let watchdog: &'static Watchdog = Box::leak(Box::default());
        let thread = std::thread::Builder::new().name("wrt-vm watchdog".to_owned());
        // Without a thread there is no time limit; a process that cannot start one cannot
        // run a VM either, and says so there.
        if let Err(error) = thread.spawn(|| watchdog.watch()) {
            tracing::error!("cannot start the watchdog: {error}");
        }
        watchdog
    })
}

impl Watchdog {
    fn watch(&self) {
        let mut alarms = self.alarms.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            while let Some(entry) = alarms.0.first_entry().filter(|entry| entry.key().0 <= now) {
                let (cancel, call) = entry.remove();
                cancel.cancel(call, Interruption::TimedOut);
            }
            let next = alarms.0.keys().next().map(|key| key.0 - now);
            alarms = match next {
                Some(wait) => {
                    let waited = self.changed.wait_timeout(alarms, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(alarms).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

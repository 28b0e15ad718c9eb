//! Ends calls at their deadlines: one thread for the whole process, started when it is needed.
//!
//! It also presses calls that were ended until they have: see
//! [`interrupt`](wrt_platform::interrupt) for why once may not be enough.

use super::cancel::{CallGuard, CancelState};
use crate::error::{Error, Interruption};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// After what time a call that was ended is pressed first, and how far apart that is done at most.
const PRESS_FIRST: Duration = Duration::from_millis(1);
const PRESS_LAST: Duration = Duration::from_millis(50);

/// What is done at some time.
struct Task {
    cancel: Arc<CancelState>,
    call: u64,
    kind: Kind,
}

enum Kind {
    /// The call's time is over.
    End,
    /// It was ended, this long ago at most, and may not have noticed.
    Press(Duration),
}

/// Tasks by time; the number keeps equal times apart.
type Tasks = BTreeMap<(Instant, u64), Task>;

struct Watchdog {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    tasks: Tasks,
    /// The number of the latest task.
    latest: u64,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread is to end.
    resting: bool,
}

static WATCHDOG: Watchdog = Watchdog {
    state: Mutex::new(State { tasks: Tasks::new(), latest: 0, thread: None, resting: false }),
    changed: Condvar::new(),
};

/// A call that runs, until this is dropped.
pub(crate) type Running = (Option<Alarm>, CallGuard);

/// Begins a call that ends by `deadline`, unless it is to end already.
pub(crate) fn begin_call(
    cancel: &Arc<CancelState>,
    deadline: Option<Instant>,
) -> Result<Running, Error> {
    let call = cancel.begin()?;
    let alarm = match deadline {
        Some(deadline) if deadline <= Instant::now() => {
            return Err(Error::Interrupted(Interruption::TimedOut));
        }
        Some(deadline) => Some(arm(deadline, cancel)?),
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
fn arm(deadline: Instant, cancel: &Arc<CancelState>) -> Result<Alarm, Error> {
    let task = Task { cancel: Arc::clone(cancel), call: cancel.current(), kind: Kind::End };
    let key = WATCHDOG.lock().add(deadline, task).map_err(Error::Thread)?;
    Ok(Alarm { key })
}

/// Presses a call that was ended, until it has ended.
pub(super) fn press(cancel: &Arc<CancelState>, call: u64) {
    let task = Task { cancel: Arc::clone(cancel), call, kind: Kind::Press(PRESS_FIRST) };
    if WATCHDOG.lock().add(Instant::now() + PRESS_FIRST, task).is_ok() {
        return;
    }
    // Without a thread for it, this one does what it can.
    for _ in 0..100 {
        std::thread::sleep(PRESS_FIRST);
        if !cancel.press(call) {
            return;
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        WATCHDOG.lock().tasks.remove(&self.key);
    }
}

/// Has the thread end, if there is nothing for it to do: what this thread gives up next, that one
/// shall not keep.
pub(crate) fn rest() {
    let mut state = WATCHDOG.lock();
    if !state.tasks.is_empty() {
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

impl State {
    /// Adds a task; starts the thread unless it is there.
    fn add(&mut self, time: Instant, task: Task) -> io::Result<(Instant, u64)> {
        if self.thread.is_none() {
            let thread = std::thread::Builder::new().name("wrt-vm watchdog".to_owned());
            self.thread = Some(thread.spawn(|| WATCHDOG.watch())?);
        }
        self.latest += 1;
        let key = (time, self.latest);
        self.tasks.insert(key, task);
        WATCHDOG.changed.notify_one();
        Ok(key)
    }

    /// Takes what is to be done by now.
    fn due(&mut self, now: Instant) -> Option<Task> {
        let entry = self.tasks.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
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
            if let Some(task) = state.due(now) {
                // A call's lock may be held by a thread that waits for this one. An alarm that is
                // dropped meanwhile means a call that is over: its number hits no other.
                drop(state);
                let again = task.run();
                state = self.lock();
                if let Some((time, task)) = again {
                    state.latest += 1;
                    let key = (time, state.latest);
                    state.tasks.insert(key, task);
                }
                continue;
            }
            let next = state.tasks.keys().next().map(|key| key.0 - now);
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

impl Task {
    /// Does it; returns what is to be done later.
    fn run(self) -> Option<(Instant, Self)> {
        match self.kind {
            Kind::End => {
                self.cancel.cancel(self.call, Interruption::TimedOut);
                None
            }
            Kind::Press(waited) => self.cancel.press(self.call).then(|| {
                let wait = waited.saturating_mul(2).min(PRESS_LAST);
                (Instant::now() + wait, Self { kind: Kind::Press(wait), ..self })
            }),
        }
    }
}

//! Ending a call from another thread.
//!
//! A request to cancel names the call it means, which may be the next one. It takes effect
//! on that very call only, decided under one lock, so that it can neither be lost nor hit the
//! next call. The vCPU is kicked for code that runs in the guest; a host call that waits is
//! woken through `waiting`, and one that blocks in the system through `blocking`.

use super::watchdog;
use crate::error::{Error, Interruption};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use wrt_hypervisor::Kicker;
use wrt_platform::interrupt::{Interrupter, Section};

/// State shared by a machine and everybody who may cancel its calls.
pub(crate) struct CancelState {
    calls: Mutex<Calls>,
    /// Wakes the thread that has the running call, while it waits for its end.
    waiting: Condvar,
    /// Ends what blocks the thread that has the running call.
    blocking: Arc<Interrupter>,
    kicker: Arc<dyn Kicker>,
}

struct Calls {
    /// Number of the latest call.
    latest: u64,
    running: bool,
    interruption: Option<Interruption>,
    /// A request for the call after `latest`, which has not begun.
    early: Option<Interruption>,
    /// A request for all calls.
    all: Option<Interruption>,
    /// Another machine, for whose calls the running one waits.
    handed_on: Option<Arc<CancelState>>,
}

impl Calls {
    fn current(&self) -> u64 {
        if self.running { self.latest } else { self.latest + 1 }
    }
}

impl CancelState {
    pub(crate) fn new(kicker: Arc<dyn Kicker>) -> Arc<Self> {
        let calls = Calls {
            latest: 0,
            running: false,
            interruption: None,
            early: None,
            all: None,
            handed_on: None,
        };
        let (waiting, blocking) = (Condvar::new(), Interrupter::new());
        Arc::new(Self { calls: Mutex::new(calls), waiting, blocking, kicker })
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call, of the calling thread, until the guard goes.
    ///
    /// # Errors
    ///
    /// When nothing could end what blocks that thread.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<CallGuard, Error> {
        let section = self.blocking.enter().map_err(Error::Thread)?;
        let mut calls = self.lock();
        calls.latest += 1;
        calls.running = true;
        calls.interruption = calls.early.take().or(calls.all);
        drop(calls);
        Ok(CallGuard { state: Arc::clone(self), _section: section })
    }

    /// Number that the next call to begin will have, or the running one has.
    pub(crate) fn current(&self) -> u64 {
        self.lock().current()
    }

    /// Ends call number `call`, if it runs or is the next to begin; says whether it was.
    pub(crate) fn cancel(self: &Arc<Self>, call: u64, why: Interruption) -> bool {
        self.cancel_one(self.lock(), call, why)
    }

    /// Ends the call that runs, or the next if none does.
    fn cancel_current(self: &Arc<Self>, why: Interruption) {
        let calls = self.lock();
        let current = calls.current();
        self.cancel_one(calls, current, why);
    }

    fn cancel_one(
        self: &Arc<Self>,
        mut calls: MutexGuard<'_, Calls>,
        call: u64,
        why: Interruption,
    ) -> bool {
        if call == calls.latest + 1 {
            calls.early.get_or_insert(why);
            self.kicker.forewarn();
            return true;
        }
        let hit = calls.running && calls.latest == call;
        if hit {
            calls.interruption.get_or_insert(why);
            // Under the lock: the call cannot end, and the next begin, in between.
            self.kicker.kick();
            self.waiting.notify_all();
            self.blocking.interrupt();
            if let Some(other) = &calls.handed_on {
                other.cancel_current(why);
            }
        }
        drop(calls);
        if hit {
            watchdog::press(self, call);
        }
        hit
    }

    /// Ends the running call, and all that begin later.
    pub(crate) fn cancel_all(self: &Arc<Self>, why: Interruption) {
        let call = {
            let mut calls = self.lock();
            calls.all.get_or_insert(why);
            self.kicker.forewarn();
            calls.running.then_some(calls.latest)
        };
        if let Some(call) = call {
            self.cancel(call, why);
        }
    }

    /// Ends what blocks call number `call`, which was cancelled, once more: what was done before
    /// may have come just before it blocked. Says whether the call still runs.
    pub(super) fn press(&self, call: u64) -> bool {
        let calls = self.lock();
        calls.running && calls.latest == call && self.blocking.interrupt()
    }

    /// Has whatever ends the running call end the calls of another machine as well, which are
    /// made for it. Returns why the running call is to end, if it is to already.
    pub(crate) fn hand_on(&self, to: &Arc<Self>) -> Option<Interruption> {
        // What was meant for the last one that was served comes too late.
        to.forget_early();
        let mut calls = self.lock();
        calls.handed_on = Some(Arc::clone(to));
        calls.interruption
    }

    /// Forgets a request to end the next call, which then has had its effect.
    pub(crate) fn forget_early(&self) {
        let mut calls = self.lock();
        if !calls.running && calls.early.take().is_some() {
            calls.latest += 1;
        }
    }

    /// Why the running call shall end, if it shall.
    pub(crate) fn interruption(&self) -> Option<Interruption> {
        self.lock().interruption
    }

    /// Why the running call is to end, or the next one if none runs.
    pub(crate) fn wanted(&self) -> Option<Interruption> {
        let calls = self.lock();
        if calls.running { calls.interruption } else { calls.early.or(calls.all) }
    }

    /// Waits until `time`, or until the running call shall end, and returns why it shall. Without
    /// a time the end alone is waited for.
    pub(crate) fn wait_until(&self, time: Option<Instant>) -> Option<Interruption> {
        let mut calls = self.lock();
        while calls.interruption.is_none() {
            calls = match time {
                None => self.waiting.wait(calls).unwrap_or_else(PoisonError::into_inner),
                Some(time) => {
                    let left = time.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.waiting.wait_timeout(calls, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        calls.interruption
    }
}

/// A call that runs.
pub(crate) struct CallGuard {
    state: Arc<CancelState>,
    _section: Section,
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let mut calls = self.state.lock();
        calls.running = false;
        calls.handed_on = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Kicker for Count {
        fn kick(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_late_request_does_not_hit_the_next_call() {
        let kicks = Arc::new(Count::default());
        let state = CancelState::new(Arc::clone(&kicks) as Arc<dyn Kicker>);
        let first = state.current();
        drop(state.begin().unwrap());
        let _second = state.begin().unwrap();
        assert!(!state.cancel(first, Interruption::Cancelled));
        assert_eq!(state.interruption(), None);
        assert_eq!(kicks.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_early_request_waits_for_its_call() {
        let state = CancelState::new(Arc::new(Count::default()));
        assert!(state.cancel(state.current(), Interruption::Cancelled));
        let first = state.begin().unwrap();
        assert_eq!(state.interruption(), Some(Interruption::Cancelled));
        drop(first);
        let _second = state.begin().unwrap();
        assert_eq!(state.interruption(), None);
    }

    #[test]
    fn a_request_for_all_hits_the_running_call_and_each_later_one() {
        let state = CancelState::new(Arc::new(Count::default()));
        let running = state.begin().unwrap();
        state.cancel_all(Interruption::Cancelled);
        assert_eq!(state.interruption(), Some(Interruption::Cancelled));
        drop(running);
        for _ in 0..2 {
            let _call = state.begin().unwrap();
            assert_eq!(state.interruption(), Some(Interruption::Cancelled));
        }
    }

    #[test]
    fn a_call_that_is_handed_on_ends_with_its_origin() {
        let new = || CancelState::new(Arc::new(Count::default()));
        let (origin, other) = (new(), new());
        let call = origin.current();
        let guard = origin.begin().unwrap();
        assert_eq!(origin.hand_on(&other), None);
        assert!(origin.cancel(call, Interruption::Cancelled));
        let early = other.begin().unwrap();
        assert_eq!(other.interruption(), Some(Interruption::Cancelled));
        drop((early, guard));
        // The next call of the origin has nothing to do with the other machine.
        let _guard = origin.begin().unwrap();
        origin.cancel(origin.current(), Interruption::Cancelled);
        let _next = other.begin().unwrap();
        assert_eq!(other.interruption(), None);
    }

    #[test]
    fn a_request_hits_its_own_call_once_and_for_all() {
        let kicks = Arc::new(Count::default());
        let state = CancelState::new(Arc::clone(&kicks) as Arc<dyn Kicker>);
        let call = state.current();
        let _guard = state.begin().unwrap();
        assert!(state.cancel(call, Interruption::TimedOut));
        assert!(state.cancel(call, Interruption::Cancelled));
        assert_eq!(state.interruption(), Some(Interruption::TimedOut), "the first one counts");
        assert_eq!(kicks.0.load(Ordering::Relaxed), 2);
    }
}

//! Ending a call from another thread.
//!
//! A request to cancel names the call it means, which may be the next one. It takes effect
//! on that very call only, decided under one lock, so that it can neither be lost nor hit the
//! next call. The vCPU is kicked for code that runs in the guest; a host call that waits is
//! woken through `waiting`.

use crate::error::Interruption;
use crate::hypervisor::Kicker;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// State shared by a machine and everybody who may cancel its calls.
pub(crate) struct CancelState {
    calls: Mutex<Calls>,
    waiting: Notify,
    kicker: Arc<dyn Kicker>,
}

struct Calls {
    /// Number of the latest call.
    latest: u64,
    running: bool,
    interruption: Option<Interruption>,
    /// A request for the call after `latest`, which has not begun.
    early: Option<Interruption>,
    /// The call of another machine that the running one waits for.
    handed_on: Option<(Arc<CancelState>, u64)>,
}

impl CancelState {
    pub(crate) fn new(kicker: Arc<dyn Kicker>) -> Arc<Self> {
        let calls =
            Calls { latest: 0, running: false, interruption: None, early: None, handed_on: None };
        Arc::new(Self { calls: Mutex::new(calls), waiting: Notify::new(), kicker })
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call, until the guard goes.
    pub(crate) fn begin(self: &Arc<Self>) -> CallGuard {
        let mut calls = self.lock();
        calls.latest += 1;
        calls.running = true;
        calls.interruption = calls.early.take();
        CallGuard { state: Arc::clone(self) }
    }

    /// Number that the next call to begin will have, or the running one has.
    pub(crate) fn current(&self) -> u64 {
        let calls = self.lock();
        if calls.running { calls.latest } else { calls.latest + 1 }
    }

    /// Ends call number `call`, if it runs or is the next to begin; says whether it was.
    pub(crate) fn cancel(&self, call: u64, why: Interruption) -> bool {
        let mut calls = self.lock();
        if call == calls.latest + 1 {
            calls.early.get_or_insert(why);
            return true;
        }
        let hit = calls.running && calls.latest == call;
        if hit {
            calls.interruption.get_or_insert(why);
            // Under the lock: the call cannot end, and the next begin, in between.
            self.kicker.kick();
            self.waiting.notify_waiters();
            if let Some((other, call)) = &calls.handed_on {
                other.cancel(*call, why);
            }
        }
        hit
    }

    /// Has whatever ends the running call end the next call of another machine as well.
    /// Returns why the running call shall end, if it shall already.
    pub(crate) fn hand_on(&self, to: &Arc<Self>) -> Option<Interruption> {
        let mut calls = self.lock();
        calls.handed_on = Some((Arc::clone(to), to.current()));
        calls.interruption
    }

    /// Why the running call shall end, if it shall.
    pub(crate) fn interruption(&self) -> Option<Interruption> {
        self.lock().interruption
    }

    /// Waits until the running call shall end.
    pub(crate) async fn interrupted(&self) -> Interruption {
        loop {
            let notified = self.waiting.notified();
            tokio::pin!(notified);
            // Listen first, then look: a request in between is seen by one of the two.
            notified.as_mut().enable();
            if let Some(why) = self.interruption() {
                return why;
            }
            notified.await;
        }
    }
}

/// A call that runs.
pub(crate) struct CallGuard {
    state: Arc<CancelState>,
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
        drop(state.begin());
        let _second = state.begin();
        assert!(!state.cancel(first, Interruption::Cancelled));
        assert_eq!(state.interruption(), None);
        assert_eq!(kicks.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn an_early_request_waits_for_its_call() {
        let state = CancelState::new(Arc::new(Count::default()));
        assert!(state.cancel(state.current(), Interruption::Cancelled));
        let first = state.begin();
        assert_eq!(state.interruption(), Some(Interruption::Cancelled));
        drop(first);
        let _second = state.begin();
        assert_eq!(state.interruption(), None);
    }

    #[test]
    fn a_call_that_is_handed_on_ends_with_its_origin() {
        let new = || CancelState::new(Arc::new(Count::default()));
        let (origin, other) = (new(), new());
        let call = origin.current();
        let guard = origin.begin();
        assert_eq!(origin.hand_on(&other), None);
        assert!(origin.cancel(call, Interruption::Cancelled));
        let early = other.begin();
        assert_eq!(other.interruption(), Some(Interruption::Cancelled));
        drop((early, guard));
        // The next call of the origin has nothing to do with the other machine.
        let _guard = origin.begin();
        origin.cancel(origin.current(), Interruption::Cancelled);
        let _next = other.begin();
        assert_eq!(other.interruption(), None);
    }

    #[test]
    fn a_request_hits_its_own_call_once_and_for_all() {
        let kicks = Arc::new(Count::default());
        let state = CancelState::new(Arc::clone(&kicks) as Arc<dyn Kicker>);
        let call = state.current();
        let _guard = state.begin();
        assert!(state.cancel(call, Interruption::TimedOut));
        assert!(state.cancel(call, Interruption::Cancelled));
        assert_eq!(state.interruption(), Some(Interruption::TimedOut), "the first one counts");
        assert_eq!(kicks.0.load(Ordering::Relaxed), 2);
    }
}

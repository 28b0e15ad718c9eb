//! Making the child stop, from any thread, without losing a kick.
//!
//! A flag is set first, which the run loop looks at before it resumes the child and after each
//! stop. Then the child gets a signal: it stops if it runs, and as soon as it is resumed if it
//! does not. Whatever the order of events, one of the two hits. A signal that arrives late
//! finds the flag cleared, and the run loop simply goes on.

use crate::traits::Kicker;
use rustix::process::{Signal, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A signal that the child does not block; to the guest it means nothing.
pub(super) const SIGNAL: Signal = Signal::USR1;

/// State that a vCPU shares with its kickers.
#[derive(Default)]
pub(super) struct KickState {
    kicked: AtomicBool,
    /// The child; `None` once the vCPU is gone. A process's descriptor names it for ever, so
    /// that nobody else can be hit.
    child: Mutex<Option<Arc<OwnedFd>>>,
}

impl KickState {
    /// Aims kicks at a child, or at nothing.
    pub(super) fn aim(&self, child: Option<Arc<OwnedFd>>) {
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
    }

    /// Whether a kick is pending.
    pub(super) fn is_kicked(&self) -> bool {
        self.kicked.load(Ordering::SeqCst)
    }

    /// Forgets a kick.
    pub(super) fn clear(&self) {
        self.kicked.store(false, Ordering::SeqCst);
    }
}

impl Kicker for KickState {
    fn kick(&self) {
        self.kicked.store(true, Ordering::SeqCst);
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(child) = child.as_ref() {
            // One that has ended needs no kick.
            let _ = pidfd_send_signal(child, SIGNAL);
        }
    }
}

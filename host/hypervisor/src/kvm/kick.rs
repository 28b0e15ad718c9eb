//! Making `KVM_RUN` return, from any thread, without losing a kick.
//!
//! `kvm_run.immediate_exit` is set first: it makes every later entry return at once. Then
//! the thread inside `KVM_RUN`, if there is one, gets a signal, which makes the current one
//! return. Whatever the order of events, one of the two hits. A signal that arrives late
//! finds `immediate_exit` cleared, and the run loop simply enters again.

use crate::error::HypervisorError;
use crate::traits::Kicker;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use wrt_platform::interrupt;

/// State that a vCPU shares with its kickers.
pub(super) struct KickState {
    /// The vCPU's `immediate_exit` byte; `None` once the vCPU is gone.
    immediate_exit: Mutex<Option<NonNull<AtomicU8>>>,
    /// Thread inside `run`, or 0.
    thread: AtomicI32,
}

// SAFETY: the pointer is used under the mutex only, and the vCPU takes it away, under the
// same mutex, before the page goes.
unsafe impl Send for KickState {}
// SAFETY: as above.
unsafe impl Sync for KickState {}

impl KickState {
    /// # Safety
    ///
    /// `immediate_exit` stays valid until [`Self::detach`].
    pub(super) unsafe fn new(immediate_exit: NonNull<AtomicU8>) -> Self {
        Self { immediate_exit: Mutex::new(Some(immediate_exit)), thread: AtomicI32::new(0) }
    }

    /// Ends the use of the vCPU's page.
    pub(super) fn detach(&self) {
        *self.immediate_exit.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Notes that the calling thread enters or has left `KVM_RUN`.
    pub(super) fn set_running(&self, running: bool) {
        let thread = if running { current_thread() } else { 0 };
        self.thread.store(thread, Ordering::SeqCst);
    }

    fn set_immediate_exit(&self, value: u8) {
        let page = self.immediate_exit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(byte) = *page {
            // SAFETY: valid until `detach`, which takes this lock. The kernel reads the byte.
            unsafe { byte.as_ref() }.store(value, Ordering::SeqCst);
        }
    }

    /// Has the next entry return at once, as if it were kicked.
    pub(super) fn pend(&self) {
        self.set_immediate_exit(1);
    }

    /// Whether a kick is pending.
    pub(super) fn is_kicked(&self) -> bool {
        let page = self.immediate_exit.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as in `set_immediate_exit`.
        page.is_some_and(|byte| unsafe { byte.as_ref() }.load(Ordering::SeqCst) != 0)
    }

    /// Forgets a kick.
    pub(super) fn clear(&self) {
        self.set_immediate_exit(0);
    }
}

impl Kicker for KickState {
    fn kick(&self) {
        self.set_immediate_exit(1);
        let thread = self.thread.load(Ordering::SeqCst);
        if thread != 0 {
            // SAFETY: a plain system call. A thread that is gone by now is not found; any
            // other thread of this process ignores the signal.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, interrupt::signal()) };
        }
    }
}

fn current_thread() -> i32 {
    thread_local!(static ID: i32 = rustix::thread::gettid().as_raw_nonzero().get());
    ID.with(|id| *id)
}

/// Installs the signal's handler. It does nothing: being delivered is what makes `KVM_RUN` return.
pub(super) fn install_handler() -> Result<(), HypervisorError> {
    interrupt::listen()
        .map_err(|error| HypervisorError::Call { action: "install a signal handler".into(), error })
}

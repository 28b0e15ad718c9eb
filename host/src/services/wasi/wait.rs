//! Driving a call to its end, on the thread that serves the guest.
//!
//! Nearly every call is ready at once. One that has to wait parks the thread: until what it waits
//! for wakes it, until the time it has set an alarm for, or until the VM's call is interrupted.
//! No runtime of tokio is entered, since the caller's thread may belong to one already, where
//! starting another is a panic.

use crate::error::{Error, Interruption};
use crate::machine::CancelState;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Instant;

/// The time at which a waiting call wants to be looked at again.
#[derive(Default)]
pub(super) struct Alarm(Mutex<Option<Instant>>);

impl Alarm {
    /// Waits until `time`; without one, until the call is interrupted.
    pub(super) async fn until(&self, time: Option<Instant>) {
        std::future::poll_fn(|_| match time {
            Some(time) if time <= Instant::now() => Poll::Ready(()),
            time => {
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
                Poll::Pending
            }
        })
        .await;
    }

    fn time(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives a call to its end.
///
/// # Errors
///
/// [`Error::Interrupted`] when the VM's call was interrupted before.
pub(super) fn wait<F: Future>(
    call: F,
    alarm: &Alarm,
    cancel: &CancelState,
) -> Result<F::Output, Error> {
    let mut call = pin!(call);
    if let Some(result) = try_now(call.as_mut()) {
        return Ok(result);
    }
    let mut interrupted = pin!(cancel.interrupted());
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = call.as_mut().poll(&mut context) {
            return Ok(result);
        }
        if let Poll::Ready(why) = interrupted.as_mut().poll(&mut context) {
            return Err(Error::Interrupted(why));
        }
        match alarm.time() {
            Some(time) => {
                std::thread::park_timeout(time.saturating_duration_since(Instant::now()));
            }
            None => std::thread::park(),
        }
    }
}

/// The result of a future that is ready.
pub(super) fn try_now<F: Future>(call: Pin<&mut F>) -> Option<F::Output> {
    match call.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// Ends a call that was interrupted while it computed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the call was interrupted")]
pub(super) struct Interrupted(pub(super) Interruption);

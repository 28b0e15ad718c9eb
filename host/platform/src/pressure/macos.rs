//! Pressure by the kernel's own levels.
//!
//! A dispatch source says that the level changed; what it is, a system variable says. macOS has
//! three levels: that between the second and the third is made of the share of memory that is
//! left.

use super::{PressureLevel, Source};
use crate::availability::Availability;
use dispatch2::{
    _dispatch_source_type_memorypressure, DispatchObject as _, DispatchRetained, DispatchSource,
};
use std::ffi::{CStr, c_void};
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// 1, 2 or 4, as the flags of the dispatch source (`dispatch/source.h`).
const LEVEL: &CStr = c"kern.memorystatus_vm_pressure_level";
/// Percent of memory that is available (bsd/kern/kern_memorystatus.c).
const AVAILABLE: &CStr = c"kern.memorystatus_level";
/// DISPATCH_MEMORYPRESSURE_NORMAL, _WARN and _CRITICAL (`dispatch/source.h`).
const ALL_LEVELS: usize = 0x1 | 0x2 | 0x4;
/// A warning is urgent when less than this is available.
const URGENT_BELOW: u32 = 15;

/// Tells the waiter of an event.
#[derive(Default)]
struct Signal {
    told: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    fn tell(&self) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// As [`super::memory_limit`]: processes are not confined in groups here.
pub(super) fn memory_limit() -> Option<u64> {
    None
}

/// Ends a wait.
pub(super) struct Waker(Arc<Signal>);

impl Waker {
    pub(super) fn wake(&self) {
        self.0.tell();
    }
}

/// All that tells the level.
pub(super) struct SystemSource {
    source: DispatchRetained<DispatchSource>,
    signal: Arc<Signal>,
}

/// Has the kernel tell of changes.
#[expect(clippy::unnecessary_wraps, reason = "the face is the same on every system")]
pub(super) fn open() -> io::Result<(SystemSource, Waker)> {
    let signal = Arc::<Signal>::default();
    // SAFETY: `dispatch_source_create` (dispatch/source.h) with the type and the mask that belong
    // together; the handle is not used by this type. The event handler and the finalizer get the
    // context that is set before the source is activated: a reference count of `signal`, which
    // the finalizer gives back after the last event.
    let source = unsafe {
        let kind = (&raw const _dispatch_source_type_memorypressure).cast_mut();
        let source = DispatchSource::new(kind, 0, ALL_LEVELS, None);
        source.set_context(Arc::into_raw(Arc::clone(&signal)).cast_mut().cast());
        source.set_event_handler_f(event);
        source.set_finalizer_f(release);
        source
    };
    source.activate();
    Ok((SystemSource { source, signal: Arc::clone(&signal) }, Waker(signal)))
}

extern "C" fn event(context: *mut c_void) {
    // SAFETY: the context that `open` set, which lives until the finalizer ran.
    let signal = unsafe { &*context.cast::<Signal>() };
    signal.tell();
}

extern "C" fn release(context: *mut c_void) {
    // SAFETY: the count that `open` gave to the source, given back once.
    drop(unsafe { Arc::from_raw(context.cast::<Signal>()) });
}

impl Source for SystemSource {
    fn wait(&mut self, limit: Duration) -> PressureLevel {
        let told = self.signal.told.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.signal.changed.wait_timeout_while(told, limit, |told| !*told);
        let (mut told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *told = false;
        sample()
    }
}

impl Drop for SystemSource {
    fn drop(&mut self) {
        self.source.cancel();
    }
}

/// The level now, once.
pub(super) fn sample() -> PressureLevel {
    match variable(LEVEL) {
        Some(4) => PressureLevel::Critical,
        Some(2) if variable(AVAILABLE).is_some_and(|percent| percent < URGENT_BELOW) => {
            PressureLevel::Urgent
        }
        Some(2) => PressureLevel::Warning,
        _ => PressureLevel::Normal,
    }
}

/// The same: it is two system calls at most.
pub(super) fn glance() -> PressureLevel {
    sample()
}

/// A system variable of 32 bits.
fn variable(name: &CStr) -> Option<u32> {
    let (mut value, mut len) = (0_u32, size_of::<u32>());
    // SAFETY: sysctlbyname(3) (sys/sysctl.h) writes at most `len` bytes to a local.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &raw mut len,
            std::ptr::null_mut(),
            0,
        )
    };
    (result == 0 && len == size_of::<u32>()).then_some(value)
}

pub(super) fn availability() -> Availability {
    let here = Availability::full(
        "pressure",
        "DISPATCH_SOURCE_TYPE_MEMORYPRESSURE; urgent by kern.memorystatus_level",
    );
    match variable(LEVEL) {
        Some(_) => here,
        None => here.lacking(
            "kern.memorystatus_vm_pressure_level cannot be read: the level counts as normal",
            "leave the sandbox that forbids it",
        ),
    }
}

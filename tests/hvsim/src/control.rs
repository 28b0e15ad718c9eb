//! What a test may change, and see.

use applevisor_sys::{hv_error_t, hv_return_t};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

/// Whether the process has the entitlement `com.apple.security.hypervisor`.
static ENTITLED: AtomicBool = AtomicBool::new(true);
/// Whether the machine has the framework at all.
static OFFERED: AtomicBool = AtomicBool::new(true);

/// Failures to come: of a function, after how many calls, with what.
static FAILURES: Mutex<Option<HashMap<&'static str, (u64, hv_return_t)>>> = Mutex::new(None);

/// Gives or takes the entitlement.
pub fn grant(entitled: bool) {
    ENTITLED.store(entitled, SeqCst);
}

/// Has the machine support the framework, or not.
pub fn offer(offered: bool) {
    OFFERED.store(offered, SeqCst);
}

/// Has a function fail with `error`, once, after `calls` more calls that do not. Every function
/// that returns an answer can be named.
pub fn fail(function: &'static str, calls: u64, error: hv_error_t) {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    failures.get_or_insert_default().insert(function, (calls, number(error)));
}

/// Takes a failure back that has not come yet; whether there was one.
pub fn forgive(function: &str) -> bool {
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    failures.as_mut().is_some_and(|failures| failures.remove(function).is_some())
}

/// Has vCPUs that are made from now on count what they execute at EL1, which slows them down.
pub fn count_instructions() {
    COUNTING.store(true, SeqCst);
}

/// What is to come of a call: the error that it must return, if any.
pub(crate) fn verdict(function: &str) -> Option<hv_return_t> {
    if !OFFERED.load(SeqCst) {
        return Some(number(hv_error_t::HV_UNSUPPORTED));
    }
    let mut failures = FAILURES.lock().unwrap_or_else(PoisonError::into_inner);
    let failures = failures.as_mut()?;
    let (calls, error) = failures.get_mut(function)?;
    if *calls > 0 {
        *calls -= 1;
        return None;
    }
    let error = *error;
    failures.remove(function);
    Some(error)
}

pub(crate) fn is_entitled() -> bool {
    ENTITLED.load(SeqCst)
}

/// The number that a function returns for an error.
pub(crate) fn number(error: hv_error_t) -> hv_return_t {
    (error as u32).cast_signed()
}

/// What has happened in this process so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entries of a vCPU that came back with an exception.
    pub exits: u64,
    /// Entries that were canceled.
    pub canceled: u64,
    /// Exceptions that a guest took itself.
    pub taken: u64,
    /// Instructions executed at EL1, of vCPUs that [count](count_instructions).
    pub privileged: u64,
}

pub(crate) static EXITS: AtomicU64 = AtomicU64::new(0);
pub(crate) static CANCELED: AtomicU64 = AtomicU64::new(0);
pub(crate) static TAKEN: AtomicU64 = AtomicU64::new(0);
pub(crate) static PRIVILEGED: AtomicU64 = AtomicU64::new(0);
pub(crate) static COUNTING: AtomicBool = AtomicBool::new(false);

/// The counters.
pub fn counters() -> Counters {
    Counters {
        exits: EXITS.load(SeqCst),
        canceled: CANCELED.load(SeqCst),
        taken: TAKEN.load(SeqCst),
        privileged: PRIVILEGED.load(SeqCst),
    }
}

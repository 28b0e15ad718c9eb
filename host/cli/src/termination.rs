//! Ctrl-C, SIGTERM and SIGHUP: programs are ended, `--stats` and `--trace` finished.
//!
//! A signal ends the calls of all VMs of this process; how each program ended is then reported
//! as usual, without words, and the exit code tells the signal. All of it has two seconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use wrt_platform::signal::on_termination;
use wrt_platform::stdio::be_impatient;
use wrt_vm::{CancelHandle, MicroVm};

/// How long the end waits for streams that are not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// VMs of this process.
static VMS: Mutex<BTreeMap<u64, CancelHandle>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
/// Whether a signal has come.
static ENDED: AtomicBool = AtomicBool::new(false);

fn vms() -> MutexGuard<'static, BTreeMap<u64, CancelHandle>> {
    VMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A VM that a signal ends, until this is dropped.
#[derive(Debug)]
pub(super) struct Ended(u64);

/// Listens to the signals, on a thread of its own: to be called when this process is in its jail,
/// or if it enters none.
pub(super) fn listen() {
    let told = || {
        ENDED.store(true, Ordering::SeqCst);
        be_impatient(PATIENCE);
        vms().values().for_each(CancelHandle::cancel_all);
    };
    if let Err(error) = on_termination(told) {
        // Then a signal ends the process as it is.
        tracing::warn!("cannot listen to signals: {error}");
    }
}

/// Ends a VM's calls when a signal comes, or if one has come.
pub(super) fn ends(vm: &MicroVm) -> Ended {
    let (number, handle) = (NEXT.fetch_add(1, Ordering::Relaxed), vm.cancel_handle());
    let mut vms = vms();
    if ENDED.load(Ordering::SeqCst) {
        handle.cancel_all();
    }
    vms.insert(number, handle);
    Ended(number)
}

impl Drop for Ended {
    fn drop(&mut self) {
        vms().remove(&self.0);
    }
}

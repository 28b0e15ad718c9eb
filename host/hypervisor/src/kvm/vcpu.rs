//! A KVM vCPU.

use super::kick::KickState;
use super::{arch, failed, persist};
use crate::arch::BootState;
use crate::error::HypervisorError;
use crate::exit::Exit;
use crate::traits::{Kicker, Vcpu};
use kvm_ioctls::{VcpuFd, VmFd};
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

pub(super) struct KvmVcpu {
    fd: VcpuFd,
    kick: Arc<KickState>,
    boot: arch::BootRegisters,
    /// Whether it has run since its last boot.
    used: bool,
    /// Whether to forget all translations before the vCPU runs on.
    stale: Arc<AtomicBool>,
    /// Keeps the VM alive for as long as its vCPU.
    _vm: Arc<VmFd>,
}

impl KvmVcpu {
    pub(super) fn new(
        system: &kvm_ioctls::Kvm,
        vm: &Arc<VmFd>,
        stale: &Arc<AtomicBool>,
    ) -> Result<Self, HypervisorError> {
        let mut fd = persist(|| vm.create_vcpu(0)).map_err(failed("create a vCPU"))?;
        let boot = arch::prepare_vcpu(system, vm, &fd)?;
        let immediate_exit: *mut u8 = &raw mut fd.get_kvm_run().immediate_exit;
        // SAFETY: the byte lies in the vCPU's shared page, which lives as long as `fd`; it
        // has an atomic's size and alignment, and is only used as one from here on.
        let immediate_exit = unsafe { NonNull::new_unchecked(immediate_exit.cast::<AtomicU8>()) };
        // SAFETY: `drop` detaches before the page goes.
        let kick = Arc::new(unsafe { KickState::new(immediate_exit) });
        Ok(Self { fd, kick, boot, used: false, stale: Arc::clone(stale), _vm: Arc::clone(vm) })
    }
}

/// Entries that an instruction may take to be finished.
const ENTRIES: u32 = 8;
/// How often an entry is tried again for which the system has no task at the moment.
const REFUSALS: u32 = 20;
/// How long after it was refused.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// What becomes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entered {
    /// The guest has left the VM.
    Left,
    /// A kick has ended it.
    Kicked,
    /// A signal of another's has ended it, or a kick of a call that is over.
    Again,
    /// The system refuses a task at the moment.
    AgainLater,
    /// A guest-physical page's host memory cannot be had.
    NoPage,
    /// It cannot be.
    Failed(i32),
}

/// What to do after an entry that returned `errno`, or 0; `refusals` were refused before.
fn entered(errno: i32, kicked: bool, refusals: u32) -> Entered {
    match errno {
        0 => Entered::Left,
        libc::EINTR | libc::EAGAIN if kicked => Entered::Kicked,
        libc::EINTR => Entered::Again,
        // At its first entry a VM gets a task of the kernel's, which counts as this process's.
        libc::EAGAIN if refusals < REFUSALS => Entered::AgainLater,
        libc::EFAULT => Entered::NoPage,
        errno => Entered::Failed(errno),
    }
}

/// The error of an entry that cannot be.
fn cannot_enter(action: &'static str, errno: i32) -> HypervisorError {
    if errno != libc::EAGAIN {
        return failed(action)(kvm_ioctls::Error::new(errno));
    }
    let error = io::Error::new(
        io::ErrorKind::WouldBlock,
        "KVM needs a task of its own for a VM, and the system makes none (EAGAIN): raise the limit \
         on tasks (`pids.max` of the control group, `ulimit -u`) or end some",
    );
    HypervisorError::Call { action: action.into(), error }
}

impl KvmVcpu {
    /// Enters the guest; returns 0, or an errno.
    fn enter(&mut self) -> i32 {
        // Only the errno matters here; the exit is decoded from its raw words.
        self.fd.run().map_or_else(|error| error.errno(), |_| 0)
    }

    /// Has KVM finish the instruction that the last exit belongs to. An access to a port or to
    /// memory is completed at the next entry: the next guest's registers would get its result,
    /// and its address of the next instruction.
    fn finish_instruction(&mut self) -> Result<(), HypervisorError> {
        let mut entries = (0..ENTRIES).map(|entry| {
            if entry == ENTRIES / 2 {
                arch::end_strings(&self.fd)?;
            }
            self.kick.pend();
            // `KVM_RUN` with `immediate_exit`: no instruction of the guest's is begun.
            match self.enter() {
                libc::EINTR => Ok(true),
                // Another part of it.
                0 => Ok(false),
                errno => Err(cannot_enter("finish an instruction", errno)),
            }
        });
        let finished = entries.find(|entry| !matches!(entry, Ok(false)));
        self.kick.clear();
        match finished {
            Some(finished) => finished.map(|_| ()),
            None => {
                Err(HypervisorError::Unsupported("an instruction of the guest has no end".into()))
            }
        }
    }
}

impl Vcpu for KvmVcpu {
    fn set_boot_state(&mut self, state: &BootState) -> Result<(), HypervisorError> {
        if std::mem::take(&mut self.used) {
            self.finish_instruction()?;
        }
        self.boot.apply(&mut self.fd, state)
    }

    fn run(&mut self) -> Result<Exit, HypervisorError> {
        self.used = true;
        if self.stale.swap(false, Ordering::Relaxed) {
            arch::forget_translations(&self.fd)?;
        }
        self.kick.set_running(true);
        let mut refusals = 0;
        // Ends: a signal does not come without end, and refusals are counted.
        let exit = loop {
            let errno = self.enter();
            // Looked at only when it matters: most entries end by an exit.
            let kicked = errno != 0 && self.kick.is_kicked();
            match entered(errno, kicked, refusals) {
                Entered::Left => break arch::exit(&mut self.fd),
                Entered::Kicked => break Ok(Exit::Kicked),
                Entered::Again => {}
                Entered::AgainLater => {
                    refusals += 1;
                    std::thread::sleep(REFUSED_PAUSE);
                }
                Entered::NoPage => break Ok(Exit::Failed { code: libc::EFAULT as u64 }),
                Entered::Failed(errno) => break Err(cannot_enter("run the vCPU", errno)),
            }
        };
        self.kick.set_running(false);
        exit
    }

    fn clear_kick(&mut self) {
        self.kick.clear();
    }

    fn kicker(&self) -> Arc<dyn Kicker> {
        Arc::clone(&self.kick) as Arc<dyn Kicker>
    }
}

impl Drop for KvmVcpu {
    fn drop(&mut self) {
        self.kick.detach();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_is_refused_is_not_tried_without_end() {
        let tries = (0..).take_while(|n| entered(libc::EAGAIN, false, *n) == Entered::AgainLater);
        assert_eq!(u32::try_from(tries.count()).unwrap(), REFUSALS);
        assert_eq!(entered(libc::EAGAIN, false, REFUSALS), Entered::Failed(libc::EAGAIN));
        let error = cannot_enter("run the vCPU", libc::EAGAIN).to_string();
        assert!(error.contains("pids.max") && error.contains("ulimit -u"), "{error}");
    }

    #[test]
    fn a_kick_ends_it_whatever_the_system_says() {
        for errno in [libc::EINTR, libc::EAGAIN] {
            assert_eq!(entered(errno, true, 0), Entered::Kicked);
        }
        assert_eq!(entered(libc::EINTR, false, 0), Entered::Again);
        assert_eq!(entered(0, true, 0), Entered::Left);
    }
}

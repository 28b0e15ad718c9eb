//! A KVM vCPU.

use super::kick::KickState;
use super::{arch, failed};
use crate::hypervisor::{Exit, HypervisorError, Kicker, Vcpu};
use crate::machine::arch::BootState;
use kvm_ioctls::{VcpuFd, VmFd};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

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
        let mut fd = vm.create_vcpu(0).map_err(failed("create a vCPU"))?;
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

impl KvmVcpu {
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
            match self.fd.run().map(|_| ()).map_err(|error| error.errno()) {
                Err(libc::EINTR | libc::EAGAIN) => Ok(true),
                // Another part of it.
                Ok(()) => Ok(false),
                Err(errno) => Err(failed("finish an instruction")(kvm_ioctls::Error::new(errno))),
            }
        });
        let finished = entries.find(|entry| !matches!(entry, Ok(false)));
        self.kick.clear();
        match finished {
            Some(finished) => finished.map(|_| ()),
            None => Err(HypervisorError::Unsupported("an instruction of the guest has no end")),
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
        let exit = loop {
            // Only the errno matters here; the exit is decoded from its raw words.
            let entered = self.fd.run().map(|_| ()).map_err(|error| error.errno());
            match entered {
                Ok(()) => break arch::exit(&mut self.fd),
                Err(libc::EINTR | libc::EAGAIN) if self.kick.is_kicked() => break Ok(Exit::Kicked),
                // A signal for somebody else, or a kick of a call that is over.
                Err(libc::EINTR | libc::EAGAIN) => {}
                // A guest-physical page whose host memory cannot be had.
                Err(libc::EFAULT) => break Ok(Exit::Failed { code: libc::EFAULT as u64 }),
                Err(errno) => break Err(failed("run the vCPU")(kvm_ioctls::Error::new(errno))),
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

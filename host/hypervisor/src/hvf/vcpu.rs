//! A vCPU of the framework.

use super::{Handle, check};
use crate::arch::BootState;
use crate::arch::aarch64::registers::{
    BOOT_PC, BOOT_X0, PSTATE_BOOT, REPORT, SystemRegister, system_registers,
};
use crate::arm::{self, Decoded, Syndrome};
use crate::error::HypervisorError;
use crate::exit::Exit;
use crate::traits::{Kicker, Vcpu};
use applevisor_sys::{
    hv_reg_t, hv_sys_reg_t, hv_vcpu_create, hv_vcpu_destroy, hv_vcpu_exit_exception_t,
    hv_vcpu_exit_t, hv_vcpu_get_sys_reg, hv_vcpu_run, hv_vcpu_set_reg, hv_vcpu_set_sys_reg,
    hv_vcpu_set_vtimer_mask, hv_vcpu_t, hv_vcpus_exit,
};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

// `hv_exit_reason_t`. Read as a number: one that is not in Rust's type must not become one.
const CANCELED: u32 = 0;
const EXCEPTION: u32 = 1;

/// `hv_vcpu_exit_t`, with a reason that may be any.
#[repr(C)]
struct ExitInfo {
    reason: u32,
    exception: hv_vcpu_exit_exception_t,
}

const _: () = {
    assert!(size_of::<ExitInfo>() == size_of::<hv_vcpu_exit_t>());
    assert!(align_of::<ExitInfo>() == align_of::<hv_vcpu_exit_t>());
};

pub(super) struct HvfVcpu {
    /// `None` if making another one in its place has failed.
    raw: Option<RawVcpu>,
    kick: Arc<KickState>,
    /// Whether it has never run: every register is as after power-on.
    fresh: bool,
    /// Keeps the VM alive for as long as its vCPU.
    _vm: Handle,
}

/// A vCPU of the calling thread; destroyed when it is dropped.
struct RawVcpu {
    id: hv_vcpu_t,
    exit: NonNull<ExitInfo>,
}

// SAFETY: it may be carried between threads. It is used and dropped by the thread that made it,
// as `Hypervisor::binds_threads` has its owner see to; were it not, the framework refuses.
unsafe impl Send for RawVcpu {}

impl RawVcpu {
    fn new() -> Result<Self, HypervisorError> {
        let mut id = 0;
        let mut exit: *const hv_vcpu_exit_t = ptr::null();
        // SAFETY: both places are ours; without a configuration, defaults hold.
        let created = unsafe { hv_vcpu_create(&raw mut id, &raw mut exit, ptr::null_mut()) };
        check("create a vCPU", created)?;
        let exit = NonNull::new(exit.cast_mut().cast())
            .ok_or(HypervisorError::Unsupported("a vCPU without exit information".into()))?;
        Ok(Self { id, exit })
    }

    fn set(&self, register: hv_reg_t, value: u64) -> Result<(), HypervisorError> {
        // SAFETY: plain numbers.
        check("set a register", unsafe { hv_vcpu_set_reg(self.id, register, value) })
    }

    fn set_system(&self, register: SystemRegister, value: u64) -> Result<(), HypervisorError> {
        // SAFETY: plain numbers; `name` yields one of the framework's registers.
        let set = unsafe { hv_vcpu_set_sys_reg(self.id, name(register), value) };
        check("set a system register", set)
    }

    fn system(&self, register: SystemRegister) -> Result<u64, HypervisorError> {
        let mut value = 0;
        // SAFETY: as in `set_system`, and the place is ours.
        let got = unsafe { hv_vcpu_get_sys_reg(self.id, name(register), &raw mut value) };
        check("read a system register", got)?;
        Ok(value)
    }

    /// The latest exit's words.
    fn exit(&self) -> (u32, Syndrome) {
        // SAFETY: the framework keeps the structure for the vCPU's life, and writes it while
        // the vCPU runs, which is in this thread. Any bits are a valid value.
        let info = unsafe { self.exit.read_volatile() };
        let hv_vcpu_exit_exception_t { syndrome, physical_address, .. } = info.exception;
        (info.reason, Syndrome { esr: syndrome, gpa: physical_address })
    }
}

impl Drop for RawVcpu {
    fn drop(&mut self) {
        // SAFETY: it is ours. There is nothing to be done should this fail.
        unsafe { hv_vcpu_destroy(self.id) };
    }
}

/// The framework's name of a system register, `hv_sys_reg_t`.
fn name(register: SystemRegister) -> hv_sys_reg_t {
    use crate::arch::aarch64::registers as r;
    match register {
        r::MAIR_EL1 => hv_sys_reg_t::MAIR_EL1,
        r::TCR_EL1 => hv_sys_reg_t::TCR_EL1,
        r::TTBR0_EL1 => hv_sys_reg_t::TTBR0_EL1,
        r::TTBR1_EL1 => hv_sys_reg_t::TTBR1_EL1,
        r::VBAR_EL1 => hv_sys_reg_t::VBAR_EL1,
        r::ELR_EL1 => hv_sys_reg_t::ELR_EL1,
        r::SPSR_EL1 => hv_sys_reg_t::SPSR_EL1,
        r::SP_EL0 => hv_sys_reg_t::SP_EL0,
        r::CPACR_EL1 => hv_sys_reg_t::CPACR_EL1,
        r::CNTKCTL_EL1 => hv_sys_reg_t::CNTKCTL_EL1,
        r::MDSCR_EL1 => hv_sys_reg_t::MDSCR_EL1,
        r::CONTEXTIDR_EL1 => hv_sys_reg_t::CONTEXTIDR_EL1,
        r::TPIDR_EL0 => hv_sys_reg_t::TPIDR_EL0,
        r::TPIDRRO_EL0 => hv_sys_reg_t::TPIDRRO_EL0,
        r::TPIDR_EL1 => hv_sys_reg_t::TPIDR_EL1,
        r::ESR_EL1 => hv_sys_reg_t::ESR_EL1,
        r::FAR_EL1 => hv_sys_reg_t::FAR_EL1,
        r::SCTLR_EL1 => hv_sys_reg_t::SCTLR_EL1,
        other => unreachable!("no boot sets {other:?}"),
    }
}

impl HvfVcpu {
    /// Makes the VM's vCPU, of the calling thread.
    pub(super) fn new(vm: Handle) -> Result<Self, HypervisorError> {
        let raw = RawVcpu::new()?;
        let kick = Arc::new(KickState::new(raw.id));
        Ok(Self { raw: Some(raw), kick, fresh: true, _vm: vm })
    }

    /// A new vCPU in place of the old: the one way to be sure of all its registers. (Vectors
    /// cannot be set from Rust: the framework wants them in a vector register.)
    fn replace(&mut self) -> Result<(), HypervisorError> {
        self.kick.retarget(None);
        // First the old one goes: a thread has one at most.
        self.raw = None;
        let raw = RawVcpu::new()?;
        self.kick.retarget(Some(raw.id));
        self.raw = Some(raw);
        Ok(())
    }

    fn raw(&self) -> Result<&RawVcpu, HypervisorError> {
        self.raw
            .as_ref()
            .ok_or(HypervisorError::Unsupported("its vCPU could not be made anew".into()))
    }
}

impl Vcpu for HvfVcpu {
    fn set_boot_state(&mut self, state: &BootState) -> Result<(), HypervisorError> {
        if !self.fresh {
            self.replace()?;
        }
        self.fresh = false;
        let raw = self.raw()?;
        // SAFETY: a plain number and a truth value.
        let masked = unsafe { hv_vcpu_set_vtimer_mask(raw.id, true) };
        check("mask the virtual timer", masked)?;
        for (register, value) in system_registers(state) {
            raw.set_system(register, value)?;
        }
        raw.set(hv_reg_t::X0, BOOT_X0)?;
        raw.set(hv_reg_t::PC, BOOT_PC)?;
        raw.set(hv_reg_t::CPSR, PSTATE_BOOT)
    }

    fn run(&mut self) -> Result<Exit, HypervisorError> {
        let raw = self.raw()?;
        // Ends with the guest's exit, or a kick; one that came too late ends one entry.
        loop {
            if self.kick.is_kicked() {
                return Ok(Exit::Kicked);
            }
            // SAFETY: the memory that the guest reaches is the machine's, which does not use
            // it meanwhile.
            check("run the vCPU", unsafe { hv_vcpu_run(raw.id) })?;
            let (reason, syndrome) = raw.exit();
            match reason {
                // A kick, or one of a call that is over.
                CANCELED => {}
                EXCEPTION => {
                    return match arm::decode(syndrome) {
                        Decoded::Exit(exit) => Ok(exit),
                        Decoded::Fault => {
                            let mut report = [0; REPORT.len()];
                            for (word, register) in report.iter_mut().zip(REPORT) {
                                *word = raw.system(register)?;
                            }
                            Ok(Exit::Fault(arm::fault(report)))
                        }
                    };
                }
                // The virtual timer is masked, so it is none of the guest's doing.
                other => return Ok(Exit::Unexpected { reason: other }),
            }
        }
    }

    fn clear_kick(&mut self) {
        self.kick.kicked.store(false, Ordering::SeqCst);
    }

    fn kicker(&self) -> Arc<dyn Kicker> {
        Arc::clone(&self.kick) as Arc<dyn Kicker>
    }
}

impl Drop for HvfVcpu {
    fn drop(&mut self) {
        self.kick.retarget(None);
    }
}

/// State that a vCPU shares with its kickers.
///
/// The flag is set first: [`HvfVcpu::run`] looks at it before each entry. `hv_vcpus_exit` has
/// the current entry return, or the next if there is none. So whatever the order, a kick is
/// seen; one that comes late costs an entry.
struct KickState {
    kicked: AtomicBool,
    /// The vCPU, while there is one.
    vcpu: Mutex<Option<hv_vcpu_t>>,
}

impl KickState {
    fn new(vcpu: hv_vcpu_t) -> Self {
        Self { kicked: AtomicBool::new(false), vcpu: Mutex::new(Some(vcpu)) }
    }

    fn is_kicked(&self) -> bool {
        self.kicked.load(Ordering::SeqCst)
    }

    /// Aims kicks at another vCPU, or at none.
    fn retarget(&self, vcpu: Option<hv_vcpu_t>) {
        *self.vcpu.lock().unwrap_or_else(PoisonError::into_inner) = vcpu;
    }
}

impl Kicker for KickState {
    fn kick(&self) {
        self.kicked.store(true, Ordering::SeqCst);
        let vcpu = self.vcpu.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = *vcpu {
            // SAFETY: one number. The vCPU is there, as it takes this lock before it goes.
            unsafe { hv_vcpus_exit(&raw const id, 1) };
        }
    }
}

//! The vCPU's registers at boot.

use super::failed;
use crate::arch::BootState;
use crate::arch::aarch64::registers::{
    BOOT_PC, BOOT_X0, ELR_EL1, PSTATE_BOOT, SP_EL0, SPSR_EL1, SystemRegister, system_registers,
};
use crate::arm::Identity;
use crate::error::HypervisorError;
use kvm_bindings::{
    KVM_EXIT_MMIO, KVM_REG_ARM_CORE, KVM_REG_ARM64, KVM_REG_ARM64_SYSREG, KVM_REG_SIZE_U64,
    kvm_vcpu_init,
};
use kvm_ioctls::{VcpuFd, VmFd};

/// Names of general registers: their place in `struct kvm_regs`, in words of 64 bits.
const X0: u64 = 0;
const SP: u64 = 31;
const PC: u64 = 32;
const PSTATE: u64 = 33;
/// The stub has no use for it, and a reset of the vCPU leaves it as a guest has set it.
const SP_EL1: u64 = 34;
const ELR: u64 = 35;
const SPSR: u64 = 36;

/// The kernel's name of a general register: its offset in words of 32 bits.
fn core(place: u64) -> u64 {
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | u64::from(KVM_REG_ARM_CORE) | place * 2
}

/// The kernel's name of a system register. Three of them it has among the general ones.
fn name(register: SystemRegister) -> u64 {
    match register {
        SP_EL0 => return core(SP),
        ELR_EL1 => return core(ELR),
        SPSR_EL1 => return core(SPSR),
        _ => {}
    }
    let SystemRegister { op0, op1, crn, crm, op2 } = register;
    let number = u64::from(op0) << 14
        | u64::from(op1) << 11
        | u64::from(crn) << 7
        | u64::from(crm) << 3
        | u64::from(op2);
    KVM_REG_ARM64 | KVM_REG_SIZE_U64 | u64::from(KVM_REG_ARM64_SYSREG) | number
}

/// When the virtual timer is up, which a reset of the vCPU leaves as a guest has set it. The kernel
/// has taken that and the counter for each other (`KVM_REG_ARM_TIMER_CVAL`).
const VIRTUAL_TIMER: SystemRegister = SystemRegister { op0: 3, op1: 3, crn: 14, crm: 0, op2: 2 };
/// The same of the physical timer (`KVM_REG_ARM_PTIMER_CVAL`).
const PHYSICAL_TIMER: SystemRegister = SystemRegister { op0: 3, op1: 3, crn: 14, crm: 2, op2: 2 };

/// Forgets when timers are up.
fn clear_timers(vcpu: &VcpuFd) -> Result<(), HypervisorError> {
    set(vcpu, name(VIRTUAL_TIMER), 0)?;
    match vcpu.set_one_reg(name(PHYSICAL_TIMER), &[0; 8]) {
        // Kernels before 6.4 have no name for it.
        Err(error) if error.errno() == libc::ENOENT => Ok(()),
        result => result.map(|_| ()).map_err(failed("set a register")),
    }
}

/// Reads a system register of a vCPU.
pub(super) fn read(vcpu: &VcpuFd, register: SystemRegister) -> Result<u64, HypervisorError> {
    let mut bytes = [0; 8];
    vcpu.get_one_reg(name(register), &mut bytes).map_err(failed("read a system register"))?;
    Ok(u64::from_le_bytes(bytes))
}

fn set(vcpu: &VcpuFd, name: u64, value: u64) -> Result<(), HypervisorError> {
    vcpu.set_one_reg(name, &value.to_le_bytes()).map_err(failed("set a register"))?;
    Ok(())
}

/// Puts a vCPU into its reset state, with no feature that it can do without: no firmware of a
/// newer version, no performance counters, no vectors beyond 128 bits, no pointer
/// authentication.
pub(super) fn initialise(vm: &VmFd, vcpu: &VcpuFd) -> Result<kvm_vcpu_init, HypervisorError> {
    let mut target = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut target).map_err(failed("find a vCPU's type"))?;
    target.features = [0; 7];
    vcpu.vcpu_init(&target).map_err(failed("initialise a vCPU"))?;
    Ok(target)
}

/// The registers in which a processor says what it has, `ID_AA64..._EL1`: op0 3, op1 0, CRn 0.
fn identifying(crm: u8, op2: u8) -> SystemRegister {
    SystemRegister { op0: 3, op1: 0, crn: 0, crm, op2 }
}

/// What the vCPU says of itself.
pub(super) fn identity(vcpu: &VcpuFd) -> Result<Identity, HypervisorError> {
    Ok(Identity {
        memory_model_0: read(vcpu, identifying(7, 0))?,
        memory_model_1: read(vcpu, identifying(7, 1))?,
        instructions_0: read(vcpu, identifying(6, 0))?,
        instructions_1: read(vcpu, identifying(6, 1))?,
    })
}

/// Resets the vCPU and checks that it can run a guest.
pub(in super::super) fn prepare_vcpu(
    _system: &kvm_ioctls::Kvm,
    vm: &VmFd,
    vcpu: &VcpuFd,
) -> Result<BootRegisters, HypervisorError> {
    let target = initialise(vm, vcpu)?;
    identity(vcpu)?.check()?;
    Ok(BootRegisters { target, fresh: true })
}

/// What boot needs to know about the vCPU.
pub(in super::super) struct BootRegisters {
    target: kvm_vcpu_init,
    /// Whether the vCPU has never run.
    fresh: bool,
}

impl BootRegisters {
    /// Puts the vCPU at the stub's first instruction, with translation on.
    pub(in super::super) fn apply(
        &mut self,
        vcpu: &mut VcpuFd,
        state: &BootState,
    ) -> Result<(), HypervisorError> {
        if !self.fresh {
            finish_store(vcpu);
            vcpu.vcpu_init(&self.target).map_err(failed("reset the vCPU"))?;
        }
        self.fresh = false;
        clear_timers(vcpu)?;
        for (register, value) in system_registers(state) {
            set(vcpu, name(register), value)?;
        }
        for (place, value) in [(X0, BOOT_X0), (SP_EL1, 0), (PC, BOOT_PC), (PSTATE, PSTATE_BOOT)] {
            set(vcpu, core(place), value)?;
        }
        Ok(())
    }
}

/// Has the kernel be done with a store that it has told us of: the next entry would move the
/// program counter behind it, whatever that is by then.
fn finish_store(vcpu: &mut VcpuFd) {
    if vcpu.get_kvm_run().exit_reason != KVM_EXIT_MMIO {
        return;
    }
    let before = vcpu.get_kvm_run().immediate_exit;
    vcpu.set_kvm_immediate_exit(1);
    // It returns at once, with EINTR.
    let _ = vcpu.run();
    vcpu.set_kvm_immediate_exit(before);
}

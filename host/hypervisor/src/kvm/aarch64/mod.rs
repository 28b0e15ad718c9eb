//! KVM on arm64.
//!
//! Linux takes `hvc` for itself (it offers the firmware's calls by it), so the guest's stub
//! rings a doorbell: a store to a page without memory.

pub(crate) mod exit;
mod state;

pub(super) use state::{BootRegisters, prepare_vcpu};

use super::{Gpa, HypervisorError, failed, persist, raw};
use crate::arch::aarch64::registers::REPORT;
use crate::arm::{Decoded, Identity, fault};
use crate::exit::Exit;
use kvm_ioctls::{Cap, VcpuFd, VmFd};
use std::sync::OnceLock;
use wrt_abi::cpu::{Arch, CpuFeatures};

/// The processor of the guests.
pub(super) const ARCH: Arch = Arch::Aarch64;

/// Where the stub rings.
pub(super) const DOORBELL: Option<Gpa> = Some(exit::DOORBELL_GPA);

/// The guest's own stub has the processor forget translations.
pub(super) const CAN_FORGET_TRANSLATIONS: bool = false;

/// Never asked for.
pub(super) fn forget_translations(_vcpu: &VcpuFd) -> Result<(), HypervisorError> {
    Ok(())
}

/// There are no instructions that take more than one exit.
pub(super) fn end_strings(_vcpu: &VcpuFd) -> Result<(), HypervisorError> {
    Ok(())
}

/// Width of guest-physical addresses: Apple's default, which every guest keeps to.
const GPA_BITS: u32 = 36;

/// Makes a VM.
pub(super) fn create_vm(system: &kvm_ioctls::Kvm) -> Result<VmFd, HypervisorError> {
    if system.check_extension(Cap::ArmVmIPASize) {
        persist(|| system.create_vm_with_ipa_size(GPA_BITS)).map_err(failed("create a VM"))
    } else {
        // 40 bits, before Linux 4.20.
        persist(|| system.create_vm_with_type(0)).map_err(failed("create a VM"))
    }
}

/// What a vCPU's exit means.
pub(super) fn exit(vcpu: &mut VcpuFd) -> Result<Exit, HypervisorError> {
    match exit::decode(raw::raw(vcpu.get_kvm_run())) {
        Decoded::Exit(exit) => Ok(exit),
        Decoded::Fault => {
            let mut report = [0; REPORT.len()];
            for (word, register) in report.iter_mut().zip(REPORT) {
                *word = state::read(vcpu, register)?;
            }
            Ok(Exit::Fault(fault(report)))
        }
    }
}

/// What compiled code may use: what a vCPU has that is made for the purpose, once in a process.
pub(super) fn code_features() -> CpuFeatures {
    static FEATURES: OnceLock<CpuFeatures> = OnceLock::new();
    *FEATURES.get_or_init(|| identity().map(Identity::code_features).unwrap_or_default())
}

/// What a guest's processor says of itself.
fn identity() -> Result<Identity, HypervisorError> {
    let system = kvm_ioctls::Kvm::new().map_err(failed("open /dev/kvm"))?;
    let vm = create_vm(&system)?;
    let vcpu = persist(|| vm.create_vcpu(0)).map_err(failed("create a vCPU"))?;
    state::initialise(&vm, &vcpu)?;
    state::identity(&vcpu)
}

/// What `doctor` shows besides.
pub(super) fn details(system: &kvm_ioctls::Kvm) -> Vec<(&'static str, String)> {
    vec![("guest-physical address bits, at most", system.get_host_ipa_limit().to_string())]
}

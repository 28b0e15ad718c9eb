//! KVM on x86-64.

mod cpuid;
pub(crate) mod exit;
mod state;

pub(super) use cpuid::code_features;
pub(super) use state::{
    BootRegisters, CAN_FORGET_TRANSLATIONS, end_strings, forget_translations, prepare_vcpu,
};

use super::{Gpa, HypervisorError, failed, persist, raw};
use crate::exit::Exit;
use kvm_ioctls::{Cap, MsrFilterDefaultAction, MsrFilterRange, MsrFilterRangeFlags, VcpuFd, VmFd};
use wrt_abi::cpu::Arch;

/// What a vCPU's exit means.
pub(super) fn exit(vcpu: &mut VcpuFd) -> Result<Exit, HypervisorError> {
    Ok(exit::decode(raw::raw(vcpu.get_kvm_run())))
}

/// Guest-physical address of three pages that KVM may need on Intel without unrestricted
/// guests (`KVM_SET_TSS_ADDR`). No guest of `wrt-vm` has memory there: see its `machine::memory`.
const TSS_PAGES: usize = 0xfffb_d000;

/// The processor of the guests.
pub(super) const ARCH: Arch = Arch::X86_64;
/// The stub has ports.
pub(super) const DOORBELL: Option<Gpa> = None;

/// Makes a VM, and sets what holds for the whole of it: model-specific registers are denied.
pub(super) fn create_vm(system: &kvm_ioctls::Kvm) -> Result<VmFd, HypervisorError> {
    let vm = persist(|| system.create_vm()).map_err(failed("create a VM"))?;
    vm.set_tss_address(TSS_PAGES).map_err(failed("place the TSS pages"))?;
    if vm.check_extension(Cap::X86MsrFilter) {
        // KVM wants one range; a clear bit denies too.
        let nothing = MsrFilterRange {
            base: 0,
            msr_count: 1,
            flags: MsrFilterRangeFlags::READ | MsrFilterRangeFlags::WRITE,
            bitmap: &[0],
        };
        vm.set_msr_filter(MsrFilterDefaultAction::DENY, &[nothing])
            .map_err(failed("deny model-specific registers"))?;
    }
    Ok(vm)
}

/// What `doctor` shows besides.
pub(super) fn details(system: &kvm_ioctls::Kvm) -> Vec<(&'static str, String)> {
    let denied = if system.check_extension(Cap::X86MsrFilter) { "yes" } else { "no" };
    vec![("model-specific registers denied by KVM's filter", denied.to_owned())]
}

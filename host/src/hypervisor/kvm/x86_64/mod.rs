//! KVM on x86-64.

mod cpuid;
mod exit;
mod state;

pub(super) use cpuid::code_features;
pub(super) use exit::{decode as decode_exit, raw as raw_exit};
pub(super) use state::{BootRegisters, prepare_vcpu};

use super::{HypervisorError, failed};
use kvm_ioctls::{Cap, MsrFilterDefaultAction, MsrFilterRange, MsrFilterRangeFlags, VmFd};

/// Guest-physical address of three pages that KVM may need on Intel without unrestricted
/// guests (`KVM_SET_TSS_ADDR`). Nothing of ours is ever there: see `machine::memory`.
const TSS_PAGES: usize = 0xfffb_d000;

/// Sets what holds for the whole VM: model-specific registers are denied.
pub(super) fn prepare_vm(vm: &VmFd) -> Result<(), HypervisorError> {
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
    Ok(())
}

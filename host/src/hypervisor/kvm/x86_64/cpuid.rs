//! What the guest's CPUID says: what the guest needs, and nothing more.
//!
//! A processor without a feature bit must still execute the instructions (KVM intercepts
//! few), so this hides, and the control registers forbid. Register layouts: Intel SDM
//! volume 2A, CPUID; AMD APM volume 3, appendix E.

use super::failed;
use crate::hypervisor::{HypervisorError, x86_64};
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2};
use wrt_abi::cpu::CpuFeatures;

/// Leaf 1, ECX: SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT.
const LEAF1_ECX: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
/// Leaf 1, EDX: FPU, DE, PSE, MSR, PAE, CX8, PGE, CMOV, CLFSH, MMX, FXSR, SSE, SSE2.
const LEAF1_EDX: u32 = 1
    | 1 << 2
    | 1 << 3
    | 1 << 5
    | 1 << 6
    | 1 << 8
    | 1 << 13
    | 1 << 15
    | 1 << 19
    | 1 << 23
    | 1 << 24
    | 1 << 25
    | 1 << 26;
/// Leaf 7, EBX: SMEP, ERMS, SMAP. Neither TSX, SGX nor speculation controls.
const LEAF7_EBX: u32 = 1 << 7 | 1 << 9 | 1 << 20;
/// Leaf 7, ECX: UMIP.
const LEAF7_ECX: u32 = 1 << 2;
/// Leaf 0x8000_0001, ECX: LAHF, LZCNT (ABM).
const EXTENDED1_ECX: u32 = 1 | 1 << 5;
/// Leaf 0x8000_0001, EDX: leaf 1's, NX and long mode; no SYSCALL: the runtime has no kernel
/// to call.
const EXTENDED1_EDX: u32 = LEAF1_EDX | 1 << 20 | 1 << 29;

/// The features that a vCPU has been given.
pub(super) struct Features {
    /// Supervisor-mode execution prevention.
    pub(super) smep: bool,
    /// Supervisor-mode access prevention.
    pub(super) smap: bool,
    /// User-mode instruction prevention.
    pub(super) umip: bool,
}

/// The table for the guest, made from what KVM supports on this machine.
pub(super) fn masked(system: &kvm_ioctls::Kvm) -> Result<(CpuId, Features), HypervisorError> {
    let supported = system
        .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
        .map_err(failed("list the CPU's features"))?;
    let entries: Vec<_> = supported.as_slice().iter().filter_map(mask).collect();
    let leaf = |function: u32| entries.iter().find(|entry| entry.function == function);
    x86_64::check_processor()?;
    let leaf7 = leaf(7);
    let has = |bit: u32| leaf7.is_some_and(|entry| entry.ebx & 1 << bit != 0);
    let features = Features {
        smep: has(7),
        smap: has(20),
        umip: leaf7.is_some_and(|entry| entry.ecx & LEAF7_ECX != 0),
    };
    let table = CpuId::from_entries(&entries)
        .map_err(|_| HypervisorError::Unsupported("more CPUID leaves than KVM takes"))?;
    Ok((table, features))
}

/// What compiled code may use.
///
/// The baseline, which [`masked`] insists on, and what more the processor has of instructions
/// on general registers: no control register and no CPUID bit turns these off. The state of
/// AVX is not the guest's.
pub(in super::super) fn code_features() -> CpuFeatures {
    x86_64::features(CpuFeatures::BMI1.union(CpuFeatures::BMI2).union(CpuFeatures::LZCNT))
}

/// The entry as the guest may see it, or `None` for a leaf that it does not see.
fn mask(entry: &kvm_cpuid_entry2) -> Option<kvm_cpuid_entry2> {
    let mut kept = *entry;
    match entry.function {
        // Highest leaf and the vendor's name, which decides how some instructions behave.
        0 => kept.eax = 7,
        1 => {
            // No APIC id, no thread count: they would tell where the vCPU runs.
            kept.ebx &= 0x0000_ff00;
            kept.ecx &= LEAF1_ECX;
            kept.edx &= LEAF1_EDX;
        }
        7 if entry.index == 0 => {
            kept.eax = 0;
            kept.ebx &= LEAF7_EBX;
            kept.ecx &= LEAF7_ECX;
            kept.edx = 0;
        }
        0x8000_0000 => kept.eax = 0x8000_0008,
        0x8000_0001 => {
            kept.ebx = 0;
            kept.ecx &= EXTENDED1_ECX;
            kept.edx &= EXTENDED1_EDX;
        }
        // Address widths only.
        0x8000_0008 => {
            kept.ebx = 0;
            kept.ecx = 0;
            kept.edx = 0;
        }
        _ => return None,
    }
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_ones(function: u32) -> kvm_cpuid_entry2 {
        kvm_cpuid_entry2 {
            function,
            eax: u32::MAX,
            ebx: u32::MAX,
            ecx: u32::MAX,
            edx: u32::MAX,
            ..Default::default()
        }
    }

    #[test]
    fn virtualisation_avx_and_tsc_are_hidden() {
        let leaf1 = mask(&all_ones(1)).unwrap();
        assert_eq!(leaf1.ecx & (1 << 5), 0, "VMX");
        assert_eq!(leaf1.ecx & (1 << 28), 0, "AVX");
        assert_eq!(leaf1.ecx & (1 << 31), 0, "hypervisor");
        assert_eq!(leaf1.edx & (1 << 4), 0, "TSC");
        let extended = mask(&all_ones(0x8000_0001)).unwrap();
        assert_eq!(extended.ecx & (1 << 2), 0, "SVM");
    }

    #[test]
    fn hypervisor_and_unknown_leaves_are_gone() {
        for function in [4, 0xb, 0xd, 0x4000_0000, 0x4000_0001, 0x8000_001f] {
            assert!(mask(&all_ones(function)).is_none(), "{function:#x}");
        }
    }
}

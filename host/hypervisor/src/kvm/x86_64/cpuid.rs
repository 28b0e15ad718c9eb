//! What the guest's CPUID says: what the guest needs, and nothing more.
//!
//! It is the same on every machine but for the vendor: what x86-64-v2 stands for, which
//! [`x86_64::check_processor`] insists on. So a guest does not learn where it is, and KVM need
//! not be asked what it supports, for which it asks the processor a hundred times, each of them
//! an exit where KVM itself is in a VM.
//!
//! A processor without a feature bit must still execute the instructions (KVM intercepts
//! few), so this hides, and the control registers forbid. Register layouts: Intel SDM
//! volume 2A, CPUID; AMD APM volume 3, appendix E.

use crate::error::HypervisorError;
use crate::x86_64;
use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};
use std::arch::x86_64::__cpuid;
use wrt_abi::cpu::CpuFeatures;

/// Leaf 1, ECX: SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT.
const LEAF1_ECX: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
/// Leaf 1, EBX: lines of 64 bytes for CLFLUSH. No APIC id, no thread count.
const LEAF1_EBX: u32 = 8 << 8;
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
/// Leaf 7, EBX: SMEP, SMAP. Neither TSX, SGX nor speculation controls.
const SMEP: u32 = 1 << 7;
const SMAP: u32 = 1 << 20;
/// Leaf 7, ECX.
const UMIP: u32 = 1 << 2;
/// Leaf 0x8000_0001, ECX: LAHF.
const EXTENDED1_ECX: u32 = 1;
/// Leaf 0x8000_0001, EDX: NX and long mode; no SYSCALL: the runtime has no kernel to call.
const EXTENDED1_EDX: u32 = 1 << 20 | 1 << 29;
/// Leaf 0x8000_0008, EAX: 48 bits of virtual, 36 bits of physical addresses, which is all that
/// guests have.
const ADDRESS_BITS: u32 = 48 << 8 | 36;

/// The table for the guest.
pub(super) fn table() -> Result<CpuId, HypervisorError> {
    x86_64::check_processor()?;
    // The vendor decides how some instructions behave.
    let vendor = __cpuid(0);
    let entries = [
        entry(0, [7, vendor.ebx, vendor.ecx, vendor.edx]),
        entry(1, [0, LEAF1_EBX, LEAF1_ECX, LEAF1_EDX]),
        // KVM lets control registers have what is in here and what it supports: `state` asks.
        kvm_cpuid_entry2 {
            flags: KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
            ..entry(7, [0, SMEP | SMAP, UMIP, 0])
        },
        entry(0x8000_0000, [0x8000_0008, 0, 0, 0]),
        entry(0x8000_0001, [0, 0, EXTENDED1_ECX, EXTENDED1_EDX]),
        entry(0x8000_0008, [ADDRESS_BITS, 0, 0, 0]),
    ];
    CpuId::from_entries(&entries)
        .map_err(|_| HypervisorError::Unsupported("more CPUID leaves than KVM takes".into()))
}

fn entry(function: u32, [eax, ebx, ecx, edx]: [u32; 4]) -> kvm_cpuid_entry2 {
    kvm_cpuid_entry2 { function, eax, ebx, ecx, edx, ..Default::default() }
}

/// What compiled code may use.
///
/// The baseline, which [`table`] insists on, and what more the processor has of instructions
/// on general registers: no control register and no CPUID bit turns these off. The state of
/// AVX is not the guest's.
pub(in super::super) fn code_features() -> CpuFeatures {
    x86_64::features(CpuFeatures::BMI1.union(CpuFeatures::BMI2).union(CpuFeatures::LZCNT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(function: u32) -> kvm_cpuid_entry2 {
        let table = table().unwrap();
        *table.as_slice().iter().find(|entry| entry.function == function).unwrap()
    }

    #[test]
    fn virtualisation_avx_and_tsc_are_hidden() {
        let leaf1 = leaf(1);
        assert_eq!(leaf1.ecx & (1 << 5), 0, "VMX");
        assert_eq!(leaf1.ecx & (1 << 28), 0, "AVX");
        assert_eq!(leaf1.ecx & (1 << 31), 0, "hypervisor");
        assert_eq!(leaf1.edx & (1 << 4), 0, "TSC");
        assert_eq!(leaf1.eax, 0, "the model");
        assert_eq!(leaf(0x8000_0001).ecx & (1 << 2), 0, "SVM");
    }

    #[test]
    fn there_are_no_other_leaves() {
        let table = table().unwrap();
        let leaves: Vec<u32> = table.as_slice().iter().map(|entry| entry.function).collect();
        assert_eq!(leaves, [0, 1, 7, 0x8000_0000, 0x8000_0001, 0x8000_0008]);
    }
}

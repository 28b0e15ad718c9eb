//! What every backend on x86-64 asks of the processor itself.
//!
//! Not of a hypervisor: KVM nested in software lists fewer features than it runs.

use crate::error::HypervisorError;
use wrt_abi::cpu::CpuFeatures;

/// Insists on what the guest's kernels are compiled for.
///
/// # Errors
///
/// [`HypervisorError::Unsupported`] on an older processor.
pub(super) fn check_processor() -> Result<(), HypervisorError> {
    match is_x86_feature_detected!("sse4.2") && is_x86_feature_detected!("popcnt") {
        true => Ok(()),
        false => {
            Err(HypervisorError::Unsupported("the CPU is older than x86-64-v2 (no SSE4.2)".into()))
        }
    }
}

/// The baseline, which [`check_processor`] insists on, and what more the processor has of
/// `wanted`.
pub(super) fn features(wanted: CpuFeatures) -> CpuFeatures {
    let mut features = CpuFeatures::X86_64_V2;
    for (has, feature) in [
        (is_x86_feature_detected!("avx"), CpuFeatures::AVX),
        (is_x86_feature_detected!("avx2"), CpuFeatures::AVX2),
        (is_x86_feature_detected!("fma"), CpuFeatures::FMA),
        (is_x86_feature_detected!("bmi1"), CpuFeatures::BMI1),
        (is_x86_feature_detected!("bmi2"), CpuFeatures::BMI2),
        (is_x86_feature_detected!("lzcnt"), CpuFeatures::LZCNT),
    ] {
        if has && wanted.contains(feature) {
            features = features.union(feature);
        }
    }
    features
}

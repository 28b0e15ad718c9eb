//! What this library embeds: for each processor that a backend of this build has guests of, the
//! guest kernels' images and the compiler.

use wrt_abi::cpu::Arch;
pub(crate) use wrt_guest_images::{COMPILER_ID, Guest};
use wrt_hypervisor::HypervisorError;

/// What there is for a processor.
///
/// # Errors
///
/// When nothing is.
pub(crate) fn guest(arch: Arch) -> Result<&'static Guest, HypervisorError> {
    Guest::of(arch)
        .ok_or(HypervisorError::Unsupported("this build has no guest for its processor".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wrt_guest_images::GUESTS;

    #[test]
    fn the_compilers_id_is_its_digest() {
        assert_eq!(COMPILER_ID, blake3::hash(&GUESTS[0].compiler.0).to_string());
    }
}

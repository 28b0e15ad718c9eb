//! Guest-physical memory.
//!
//! The framework's own functions, not applevisor's: its safe ones hand the framework other
//! rights than they are asked for.

use super::check;
use crate::arch::{Access, Gpa};
use crate::error::HypervisorError;
use crate::traits::Mapping;
use applevisor_sys::{
    HV_MEMORY_EXEC, HV_MEMORY_READ, HV_MEMORY_WRITE, PAGE_SIZE, hv_memory_flags_t, hv_vm_map,
    hv_vm_unmap,
};
use wrt_abi::layout::GRANULE;

const _: () = assert!(PAGE_SIZE as u64 == GRANULE);

/// Maps memory.
///
/// # Safety
///
/// As [`Vm::map`](crate::Vm::map).
pub(super) unsafe fn map(mapping: Mapping) -> Result<(), HypervisorError> {
    let Mapping { gpa, host, len, access } = mapping;
    assert!(access.is_wx_safe(), "a page is never writable and executable");
    // SAFETY: the caller keeps the memory mapped (1) and its references apart (2); the framework
    // checks alignment and overlap. What is inaccessible to this process yet is not touched.
    let mapped = unsafe { hv_vm_map(host.as_ptr().cast(), gpa.0, size(len), flags(access)) };
    check("map guest memory", mapped)
}

/// Removes a mapping.
pub(super) fn unmap(gpa: Gpa, size: usize) -> Result<(), HypervisorError> {
    // SAFETY: this gives the guest access to nothing.
    check("unmap guest memory", unsafe { hv_vm_unmap(gpa.0, size) })
}

/// A length as the framework has it.
pub(super) fn size(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

fn flags(access: Access) -> hv_memory_flags_t {
    [
        (Access::READ, HV_MEMORY_READ),
        (Access::WRITE, HV_MEMORY_WRITE),
        (Access::EXECUTE, HV_MEMORY_EXEC),
    ]
    .into_iter()
    .filter(|(kind, _)| access.contains(*kind))
    .fold(0, |all, (_, bit)| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hv_vm_types.h`.
    #[test]
    fn rights_have_the_frameworks_bits() {
        assert_eq!(flags(Access::READ), 1);
        assert_eq!(flags(Access::READ | Access::WRITE), 3);
        assert_eq!(flags(Access::READ | Access::EXECUTE), 5);
    }
}

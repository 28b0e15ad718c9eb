//! Purgeable memory objects.

use super::Contents;
use crate::memory::sys::{address, check};
use mach2::traps::mach_task_self;
use mach2::vm::mach_vm_purgable_control;
use mach2::vm_purgable::{
    VM_PURGABLE_EMPTY, VM_PURGABLE_NONVOLATILE, VM_PURGABLE_SET_STATE, VM_PURGABLE_STATE_MASK,
    VM_PURGABLE_VOLATILE,
};
use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;

/// By what purgeable memory works, for people.
pub(in crate::memory) const HOW: &str = "mach_vm_purgable_control of VM_FLAGS_PURGABLE memory";

/// Nothing: the kernel knows.
#[derive(Debug)]
pub(super) struct Marks;

/// Sets the state of a memory object and returns the one before.
fn set_state(start: NonNull<u8>, state: c_int) -> io::Result<c_int> {
    let mut state = state;
    // SAFETY: `mach_vm_purgable_control` (mach/mach_vm.h, mach/vm_purgable.h) on memory that
    // nobody uses (the callers' first condition); it writes the former state to a local.
    check(unsafe {
        mach_vm_purgable_control(
            mach_task_self(),
            address(start),
            VM_PURGABLE_SET_STATE,
            &raw mut state,
        )
    })?;
    Ok(state & VM_PURGABLE_STATE_MASK)
}

/// Lets the kernel take the memory.
///
/// # Safety
///
/// 1. The range is all of a purgeable memory object of the caller's, and nobody uses it.
pub(super) unsafe fn make_volatile(start: NonNull<u8>, _: usize) -> io::Result<Marks> {
    set_state(start, VM_PURGABLE_VOLATILE).map(|_| Marks)
}

/// Keeps the memory from being taken, and says whether it was; it is zero then.
///
/// # Safety
///
/// 1. As [`make_volatile`].
pub(super) unsafe fn make_non_volatile(
    start: NonNull<u8>,
    _: usize,
    _: Option<&Marks>,
) -> io::Result<Contents> {
    match set_state(start, VM_PURGABLE_NONVOLATILE)? {
        VM_PURGABLE_EMPTY => Ok(Contents::Purged),
        _ => Ok(Contents::Kept),
    }
}

/// Takes the memory now.
///
/// # Safety
///
/// 1. As [`make_volatile`].
pub(super) unsafe fn discard(start: NonNull<u8>, _: usize) -> io::Result<()> {
    set_state(start, VM_PURGABLE_EMPTY).map(|_| ())
}

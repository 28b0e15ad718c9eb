//! Memory by the Mach virtual-memory calls (`mach/mach_vm.h`).

mod image;
mod kern;
mod region;

pub(super) use image::Image;
pub(crate) use kern::check;

use super::{Attributes, VmFlags, VmInherit, VmProt, page_size};
use mach2::traps::mach_task_self;
use mach2::vm::{mach_vm_copy, mach_vm_deallocate, mach_vm_inherit, mach_vm_map, mach_vm_protect};
use mach2::vm_inherit::{VM_INHERIT_COPY, VM_INHERIT_NONE, VM_INHERIT_SHARE, vm_inherit_t};
use mach2::vm_prot::{VM_PROT_ALL, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE, vm_prot_t};
use mach2::vm_statistics::{
    VM_FLAGS_ANYWHERE, VM_FLAGS_FIXED, VM_FLAGS_NO_CACHE, VM_FLAGS_OVERWRITE, VM_FLAGS_PURGABLE,
    VM_FLAGS_RANDOM_ADDR, VM_MEMORY_APPLICATION_SPECIFIC_1, vm_make_tag,
};
use std::ffi::c_int;
use std::io;
use std::ptr::NonNull;

/// By what the allocator works, for people.
pub(super) const HOW: &str = "mach_vm_map, _protect, _inherit; copies by mach_vm_remap and _copy";

/// What `vmmap` calls this crate's memory.
const TAG: c_int = vm_make_tag(VM_MEMORY_APPLICATION_SPECIFIC_1);

/// Whether [`reset`] brings back the bytes of an image. What is reset is zero.
pub(super) const RESET_SHOWS_IMAGES: bool = false;

/// Takes address space, inaccessible, at an address of the kernel's or of chance's choice.
pub(super) fn reserve(len: usize, random: bool) -> io::Result<NonNull<u8>> {
    let chance = if random { VM_FLAGS_RANDOM_ADDR } else { 0 };
    map(0, len, VM_FLAGS_ANYWHERE | chance, VM_PROT_NONE, VM_INHERIT_COPY)
}

/// A fresh anonymous mapping.
fn map(
    address: u64,
    len: usize,
    flags: c_int,
    protection: vm_prot_t,
    inheritance: vm_inherit_t,
) -> io::Result<NonNull<u8>> {
    let mut address = address;
    // SAFETY: `mach_vm_map` (mach/mach_vm.h) with no memory object makes zero-fill memory and
    // writes its address to a local. With VM_FLAGS_FIXED its callers own what it replaces.
    let result = unsafe {
        mach_vm_map(
            mach_task_self(),
            &raw mut address,
            len as u64,
            0,
            flags | TAG,
            0,
            0,
            0,
            protection,
            VM_PROT_ALL,
            inheritance,
        )
    };
    check(result)?;
    NonNull::new(pointer(address)).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// Gives address space back.
///
/// # Safety
///
/// 1. It was [`reserve`]d in one piece, and nobody uses it any more.
pub(super) unsafe fn release(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: `mach_vm_deallocate` (mach/mach_vm.h), by (1).
    check(unsafe { mach_vm_deallocate(mach_task_self(), address(start), len as u64) })
}

/// Puts zeros where address space was reserved, with these attributes.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's address space, and nobody uses it.
pub(super) unsafe fn fill(start: NonNull<u8>, len: usize, with: &Attributes) -> io::Result<()> {
    let mut flags = VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE;
    if with.flags.contains(VmFlags::PURGABLE) {
        flags |= VM_FLAGS_PURGABLE;
    }
    if with.flags.contains(VmFlags::NO_CACHE) {
        flags |= VM_FLAGS_NO_CACHE;
    }
    let (protection, inheritance) = (prot(with.protection), inheritance(with.inherit));
    // Replaces memory that nobody uses (1).
    map(address(start), len, flags, protection, inheritance).map(|_| ())
}

/// Sets what memory may be used for.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's; no reference that needs the right that it loses
///    covers it.
pub(super) unsafe fn protect(start: NonNull<u8>, len: usize, to: VmProt) -> io::Result<()> {
    let to = prot(to);
    // SAFETY: `mach_vm_protect` (mach/mach_vm.h) of the current protection, by (1).
    check(unsafe { mach_vm_protect(mach_task_self(), address(start), len as u64, 0, to) })
}

/// Sets what a forked child has in the place of memory.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's.
pub(super) unsafe fn inherit(start: NonNull<u8>, len: usize, to: VmInherit) -> io::Result<()> {
    let to = inheritance(to);
    // SAFETY: `mach_vm_inherit` (mach/mach_vm.h), by (1): nothing changes in this process.
    check(unsafe { mach_vm_inherit(mach_task_self(), address(start), len as u64, to) })
}

/// Makes bytes zero. They stay in the same memory objects, so that a guest that has them mapped
/// sees it, too.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's, that no reference covers.
pub(super) unsafe fn reset(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: by (1).
    unsafe { region::zero(start, len) }
}

/// Nothing: macOS has no call that touches pages ahead.
///
/// # Safety
///
/// None; Linux has conditions.
pub(super) unsafe fn populate(_: NonNull<u8>, _: usize) {}

/// Nothing, as [`populate`].
pub(super) fn populate_read(_: &[u8]) {}

/// Nothing: Apple silicon has no large pages for programs.
///
/// # Safety
///
/// None; Linux has conditions.
pub(super) unsafe fn prefer_large_pages(_: NonNull<u8>, _: usize) {}

/// Nothing, as [`prefer_large_pages`].
///
/// # Safety
///
/// None; Linux has conditions.
pub(super) unsafe fn prefer_small_pages(_: NonNull<u8>, _: usize) {}

/// Copies bytes; the kernel shares whole pages until they are written.
///
/// # Safety
///
/// 1. `from` is readable, `to` is writable, `len` bytes each, whole pages, and they do not
///    overlap.
/// 2. Nobody writes `from` or uses `to` meanwhile.
pub(super) unsafe fn copy(
    from: NonNull<u8>,
    to: NonNull<u8>,
    len: usize,
    _: VmFlags,
) -> io::Result<()> {
    let pages = len / page_size() * page_size();
    if pages > 0 {
        // SAFETY: `mach_vm_copy` (mach/mach_vm.h), by (1) and (2).
        check(unsafe { mach_vm_copy(mach_task_self(), address(from), pages as u64, address(to)) })?;
    }
    // SAFETY: what is left of the same ranges.
    unsafe { to.add(pages).copy_from_nonoverlapping(from.add(pages), len - pages) };
    Ok(())
}

/// How many pages of the range are its own: neither untouched nor shared with an image.
pub(super) fn own_pages(start: NonNull<u8>, len: usize) -> io::Result<usize> {
    region::own_pages(start, len)
}

/// Whether memory surely is as it was when its image was made. Another image costs next to
/// nothing here, so that the kernel is not asked.
pub(super) fn unchanged(_: NonNull<u8>, _: usize) -> bool {
    false
}

fn prot(protection: VmProt) -> vm_prot_t {
    let mut rights = VM_PROT_NONE;
    if protection.contains(VmProt::READ) {
        rights |= VM_PROT_READ;
    }
    if protection.contains(VmProt::WRITE) {
        rights |= VM_PROT_WRITE;
    }
    rights
}

fn inheritance(inherit: VmInherit) -> vm_inherit_t {
    match inherit {
        VmInherit::None => VM_INHERIT_NONE,
        VmInherit::Copy => VM_INHERIT_COPY,
        VmInherit::Share => VM_INHERIT_SHARE,
    }
}

/// The kernel's idea of a pointer.
pub(crate) fn address(pointer: NonNull<u8>) -> u64 {
    pointer.as_ptr().expose_provenance() as u64
}

/// A pointer to what the kernel mapped.
#[expect(clippy::cast_possible_truncation, reason = "an address of this 64-bit process")]
fn pointer(address: u64) -> *mut u8 {
    std::ptr::with_exposed_provenance_mut(address as usize)
}

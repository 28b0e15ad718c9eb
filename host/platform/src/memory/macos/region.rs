//! What the kernel says of the regions that a range consists of.

use super::{address, check, pointer};
use crate::memory::page_size;
use mach2::kern_return::KERN_INVALID_ADDRESS;
use mach2::traps::mach_task_self;
use mach2::vm::{mach_vm_protect, mach_vm_region};
use mach2::vm_prot::{VM_PROT_DEFAULT, VM_PROT_WRITE, vm_prot_t};
use mach2::vm_region::{
    SM_COW, VM_REGION_EXTENDED_INFO, vm_region_extended_info, vm_region_info_t,
};
use std::io;
use std::ptr::NonNull;

/// What `mincore(2)` says of a page that the compressor has (`sys/mman.h`).
const MINCORE_PAGED_OUT: u8 = 0x20;

struct Region {
    start: u64,
    end: u64,
    info: vm_region_extended_info,
}

/// The region at or behind an address, if there is one.
fn at(from: u64) -> io::Result<Option<Region>> {
    let (mut start, mut len, mut object) = (from, 0, 0);
    let mut info = vm_region_extended_info::default();
    let mut count = vm_region_extended_info::count();
    // SAFETY: `mach_vm_region` (mach/mach_vm.h) writes locals, and of `info` no more than the
    // `count` words that it has; `object` is null for this flavour and needs no release.
    let result = unsafe {
        mach_vm_region(
            mach_task_self(),
            &raw mut start,
            &raw mut len,
            VM_REGION_EXTENDED_INFO,
            (&raw mut info).cast::<i32>() as vm_region_info_t,
            &raw mut count,
            &raw mut object,
        )
    };
    if result == KERN_INVALID_ADDRESS {
        return Ok(None);
    }
    check(result)?;
    Ok(Some(Region { start, end: start + len, info }))
}

/// The parts of a range, each in one region.
fn parts(start: NonNull<u8>, len: usize) -> impl Iterator<Item = io::Result<Region>> {
    let mut from = address(start);
    let end = from + len as u64;
    std::iter::from_fn(move || {
        if from >= end {
            return None;
        }
        match at(from).transpose()? {
            Ok(region) if region.start < end => {
                let part =
                    Region { start: region.start.max(from), end: region.end.min(end), ..region };
                from = part.end;
                Some(Ok(part))
            }
            Ok(_) => None,
            Err(error) => {
                from = end;
                Some(Err(error))
            }
        }
    })
}

/// Pages of copy-on-write regions that were written, and all resident pages of others.
pub(super) fn own_pages(start: NonNull<u8>, len: usize) -> io::Result<usize> {
    let mut own = 0;
    for part in parts(start, len) {
        let info = part?.info;
        let pages = match info.share_mode {
            SM_COW => info.pages_shared_now_private + info.pages_swapped_out,
            _ => info.pages_resident + info.pages_swapped_out,
        };
        own += pages as usize;
    }
    Ok(own)
}

/// Makes bytes zero in place, whatever their protection.
///
/// # Safety
///
/// 1. The range is whole pages of the caller's, that no reference covers.
pub(super) unsafe fn zero(start: NonNull<u8>, len: usize) -> io::Result<()> {
    for part in parts(start, len) {
        let part = part?;
        let rights = part.info.protection;
        let locked = rights & VM_PROT_WRITE == 0;
        if locked {
            set_rights(&part, VM_PROT_DEFAULT)?;
        }
        // SAFETY: a part of the range, which is writable now.
        let zeroed = unsafe { zero_writable(&part) };
        if locked {
            set_rights(&part, rights)?;
        }
        zeroed?;
    }
    Ok(())
}

fn set_rights(part: &Region, to: vm_prot_t) -> io::Result<()> {
    // SAFETY: `mach_vm_protect` (mach/mach_vm.h) of a range that no reference covers.
    check(unsafe { mach_vm_protect(mach_task_self(), part.start, part.end - part.start, 0, to) })
}

/// # Safety
///
/// 1. The part is writable, and no reference covers it.
#[expect(clippy::cast_possible_truncation, reason = "lengths in this 64-bit process")]
unsafe fn zero_writable(part: &Region) -> io::Result<()> {
    let (start, len) = (pointer(part.start), (part.end - part.start) as usize);
    // SAFETY: madvise(2) MADV_ZERO (sys/mman.h) zeroes without touching absent pages, by (1).
    if unsafe { libc::madvise(start.cast(), len, libc::MADV_ZERO) } == 0 {
        return Ok(());
    }
    // An older kernel: write zeros, but not where there is nothing.
    let mut there = vec![0; len / page_size()];
    // SAFETY: mincore(2) writes one byte a page.
    if unsafe { libc::mincore(start.cast(), len, there.as_mut_ptr().cast()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let anything = libc::MINCORE_INCORE as u8 | MINCORE_PAGED_OUT;
    for (page, _) in there.iter().enumerate().filter(|(_, state)| **state & anything != 0) {
        // SAFETY: within the part (1).
        unsafe { start.add(page * page_size()).write_bytes(0, page_size()) };
    }
    Ok(())
}

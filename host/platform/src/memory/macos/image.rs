//! Copy-on-write by `mach_vm_remap`.

use super::{
    Attributes, VmInherit, VmProt, address, check, copy, fill, inherit, protect, release, reserve,
};
use crate::memory::{VmFlags, page_size};
use mach2::traps::mach_task_self;
use mach2::vm::mach_vm_remap;
use mach2::vm_inherit::VM_INHERIT_NONE;
use mach2::vm_statistics::{VM_FLAGS_FIXED, VM_FLAGS_OVERWRITE};
use std::io;
use std::ptr::NonNull;

/// Pages that copies share: memory that nobody writes any more.
#[derive(Debug)]
pub(crate) struct Image {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: nobody writes the memory after the image is made, and it is the image's alone.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

const WRITABLE: Attributes = Attributes {
    flags: VmFlags::empty(),
    protection: VmProt::READ.union(VmProt::WRITE),
    inherit: VmInherit::None,
};

impl Image {
    /// An image of bytes.
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let image = Self::room(bytes.len().next_multiple_of(page_size()))?;
        // SAFETY: fresh memory of the image's, which nobody else knows of yet.
        unsafe {
            fill(image.start, image.len, &WRITABLE)?;
            copy(NonNull::from(bytes).cast(), image.start, bytes.len(), VmFlags::empty())?;
            protect(image.start, image.len, VmProt::READ)?;
        }
        Ok(image)
    }

    /// An image of memory, which shares its pages from then on.
    ///
    /// # Safety
    ///
    /// 1. The range is whole readable pages of the caller's, that no reference covers.
    /// 2. Nobody writes it meanwhile.
    pub(crate) unsafe fn freeze(
        start: NonNull<u8>,
        len: usize,
        _: &Attributes,
    ) -> io::Result<Self> {
        let image = Self::room(len)?;
        // SAFETY: address space of the image's alone; the source by (1) and (2).
        unsafe {
            remap(start, image.start, len)?;
            protect(image.start, len, VmProt::READ)?;
        }
        Ok(image)
    }

    /// Puts bytes of the image into address space, copy-on-write.
    ///
    /// # Safety
    ///
    /// 1. The range is whole pages of the caller's address space, and nobody uses it.
    /// 2. `offset` is a page's, and `offset + len` lies within the image's last page.
    pub(crate) unsafe fn show(
        &self,
        at: NonNull<u8>,
        offset: usize,
        len: usize,
        with: &Attributes,
    ) -> io::Result<()> {
        // SAFETY: within the image (2), and the caller's (1).
        unsafe {
            remap(self.start.add(offset), at, len)?;
            protect(at, len, with.protection)?;
            inherit(at, len, with.inherit)
        }
    }

    fn room(len: usize) -> io::Result<Self> {
        Ok(Self { start: reserve(len, false)?, len })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the image's own address space; copies have references of their own to its
        // pages.
        let _ = unsafe { release(self.start, self.len) };
    }
}

/// Maps a copy of memory over address space; pages are shared until one side writes.
///
/// # Safety
///
/// 1. Both are `len` bytes of whole pages; nobody writes `from` meanwhile, nobody uses `to`.
unsafe fn remap(from: NonNull<u8>, to: NonNull<u8>, len: usize) -> io::Result<()> {
    let (mut target, mut current, mut maximum) = (address(to), 0, 0);
    // SAFETY: `mach_vm_remap` (mach/mach_vm.h) with copy = TRUE, over memory that nobody uses
    // (1); it writes locals.
    check(unsafe {
        mach_vm_remap(
            mach_task_self(),
            &raw mut target,
            len as u64,
            0,
            VM_FLAGS_FIXED | VM_FLAGS_OVERWRITE,
            mach_task_self(),
            address(from),
            1,
            &raw mut current,
            &raw mut maximum,
            VM_INHERIT_NONE,
        )
    })
}

//! Copy-on-write by files in memory: each copy maps the file privately.

use super::{fill, inherit, prot_flags, protect};
use crate::memory::image::runs_of_content;
use crate::memory::{Attributes, VmInherit, VmProt, page_size};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, mmap};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;

/// Pages that copies share: a file in memory that cannot be changed any more.
#[derive(Debug)]
pub(crate) struct Image(File);

impl Image {
    /// An image of bytes. Pages of zeros take no memory.
    pub(crate) fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = match memfd_create("wrt-vm image", flags | MemfdFlags::NOEXEC_SEAL) {
            // A kernel before 6.3, which has no such flag.
            Err(Errno::INVAL) => memfd_create("wrt-vm image", flags),
            other => other,
        }?;
        let file = File::from(file);
        // Whole pages, so that no mapping ends beyond the file.
        ftruncate(&file, bytes.len().next_multiple_of(page_size()) as u64)?;
        for run in runs_of_content(bytes, page_size()) {
            file.write_all_at(&bytes[run.clone()], run.start as u64)?;
        }
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(Self(file))
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
        with: &Attributes,
    ) -> io::Result<Self> {
        // SAFETY: readable, and nobody writes it (1, 2).
        let image = Self::copy_of(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })?;
        // Memory that a child shares must stay the child's, too.
        if with.inherit != VmInherit::Share {
            // SAFETY: the same bytes take the place of those that nobody uses (1, 2).
            unsafe { image.show(start, 0, len, with) }?;
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
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        let protection = prot_flags(with.protection);
        if with.inherit == VmInherit::Share {
            // No private mapping can be shared with a child: the copy is one at once.
            let writable = Attributes { protection: VmProt::READ | VmProt::WRITE, ..*with };
            // SAFETY: by (1).
            unsafe { fill(at, len, &writable) }?;
            // SAFETY: the mapping just made, which nobody uses yet.
            let room = unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), len) };
            self.0.read_exact_at(room, offset as u64)?;
            // SAFETY: as above.
            return unsafe { protect(at, len, with.protection) };
        }
        // SAFETY: replaces a mapping that nobody uses (1). The file cannot change: it is sealed.
        unsafe { mmap(at.as_ptr().cast(), len, protection, flags, &self.0, offset as u64) }?;
        // SAFETY: the mapping just made.
        unsafe { inherit(at, len, with.inherit) }
    }
}

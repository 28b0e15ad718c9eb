//! Linux: a sealed file in memory, mapped privately.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::fs::File;
use std::io::{self, Write as _};
use std::ptr::NonNull;

#[derive(Debug)]
pub(super) struct Image {
    file: File,
    view: Pages,
}

/// A private mapping of an image.
#[derive(Debug)]
pub(super) struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is private and this value's alone; access follows its borrows.
unsafe impl Send for Pages {}
// SAFETY: as above.
unsafe impl Sync for Pages {}

impl Image {
    pub(super) fn new(bytes: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("wrt-image", flags)?);
        file.write_all(bytes)?;
        // One byte more than nothing, so that there is something to map.
        file.set_len(bytes.len().max(1) as u64)?;
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        let view = Pages::new(&file, bytes.len().max(1), ProtFlags::READ)?;
        Ok(Self { file, view })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.view.bytes()
    }

    pub(super) fn copy(&self) -> io::Result<Pages> {
        Pages::new(&self.file, self.view.len, ProtFlags::READ | ProtFlags::WRITE)
    }
}

impl Pages {
    fn new(file: &File, len: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::PRIVATE, file, 0) }?;
        NonNull::new(start.cast())
            .map(|start| Self { start, len })
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: `len` readable bytes; the file is sealed, so that they change through this
        // value alone.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and writable: an image's own view is never borrowed so.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which nobody has any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

//! Linux: a sealed file in memory, mapped privately.

use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::File;
use std::io::{self, Write as _};

#[derive(Debug)]
pub(super) struct Image {
    file: File,
    view: Mmap,
}

/// A private mapping of an image.
#[derive(Debug)]
pub(super) struct Pages(MmapMut);

impl Image {
    pub(super) fn new(bytes: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("wrt-image", flags)?);
        file.write_all(bytes)?;
        // One byte more than nothing, so that there is something to map.
        file.set_len(bytes.len().max(1) as u64)?;
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        // SAFETY: the file is sealed: it has this length and these bytes as long as it is there.
        let view = unsafe { MmapOptions::new().map_copy_read_only(&file) }?;
        Ok(Self { file, view })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.view
    }

    pub(super) fn copy(&self) -> io::Result<Pages> {
        // SAFETY: the file is sealed, so that the copy changes through its owner alone.
        unsafe { MmapOptions::new().len(self.view.len()).map_copy(&self.file) }.map(Pages)
    }
}

impl Pages {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

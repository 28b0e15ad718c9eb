//! Linux: one file in memory, of which one view at a time exists.
//!
//! A file rather than `mprotect`: policies that forbid memory to become executable (SELinux's
//! `execmem`) know the difference, and a page cannot be both even for a moment.

use super::cache::instructions_changed;
use crate::memory::name_limit;
use memmap2::{Mmap, MmapMut, MmapOptions};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

pub(super) const HOW: &str = "a file in memory, mapped for writing or for execution";
pub(super) const REMEDY: &str =
    "no sandbox, filter or policy (SELinux: execmem) that forbids executable memory";

#[derive(Debug)]
pub(super) struct Writable {
    view: MmapMut,
    file: OwnedFd,
}

#[derive(Debug)]
pub(super) struct Executable {
    view: Mmap,
    file: OwnedFd,
}

impl Writable {
    pub(super) fn new(len: usize) -> io::Result<Self> {
        // Never a program of its own. Kernels before 6.3 do not know the flag.
        let file = memfd_create("wrt-code", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL)
            .or_else(|error| match error {
                Errno::INVAL => memfd_create("wrt-code", MemfdFlags::CLOEXEC),
                error => Err(error),
            })?;
        ftruncate(&file, len as u64)?;
        Self::of(file, len)
    }

    fn of(file: OwnedFd, len: usize) -> io::Result<Self> {
        // SAFETY: the file is this value's alone, and there is no other view of it.
        let view = unsafe { MmapOptions::new().len(len).map_mut(&file) }.map_err(name_limit)?;
        Ok(Self { view, file })
    }

    pub(super) fn len(&self) -> usize {
        self.view.len()
    }

    pub(super) fn write<R>(&mut self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        write(&mut self.view)
    }

    pub(super) fn publish(self) -> io::Result<Executable> {
        let Self { view, file } = self;
        let len = view.len();
        drop(view);
        // SAFETY: the file is this value's alone, and the view that could write it is gone.
        let view = unsafe { MmapOptions::new().len(len).map_exec(&file) }.map_err(name_limit)?;
        instructions_changed(view.as_ptr(), len);
        Ok(Executable { view, file })
    }
}

impl Executable {
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.view.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.view.len()
    }

    pub(super) fn make_writable(self) -> io::Result<Writable> {
        let Self { view, file } = self;
        let len = view.len();
        drop(view);
        Writable::of(file, len)
    }
}

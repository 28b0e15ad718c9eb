//! Linux: one file in memory, of which one view at a time exists.
//!
//! A file rather than `mprotect`: policies that forbid memory to become executable (SELinux's
//! `execmem`) know the difference, and a page cannot be both even for a moment.

use super::cache::instructions_changed;
use crate::memory::name_limit;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::io;
use std::os::fd::OwnedFd;
use std::ptr::NonNull;

pub(super) const HOW: &str = "a file in memory, mapped for writing or for execution";
pub(super) const REMEDY: &str =
    "no sandbox, filter or policy (SELinux: execmem) that forbids executable memory";

/// A view of a file in memory.
#[derive(Debug)]
struct View {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is this value's alone.
unsafe impl Send for View {}
// SAFETY: `&self` gives out an address and no access.
unsafe impl Sync for View {}

impl View {
    fn new(file: &OwnedFd, len: usize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, file, 0) }
                .map_err(|errno| name_limit(errno.into()))?;
        NonNull::new(start.cast())
            .map(|start| Self { start, len })
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which nobody has any more.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[derive(Debug)]
pub(super) struct Writable {
    view: View,
    file: OwnedFd,
}

#[derive(Debug)]
pub(super) struct Executable {
    view: View,
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
        let view = View::new(&file, len, ProtFlags::READ | ProtFlags::WRITE)?;
        Ok(Self { view, file })
    }

    pub(super) fn len(&self) -> usize {
        self.view.len
    }

    pub(super) fn write<R>(&mut self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        // SAFETY: `len` mapped bytes that only this value knows of, borrowed for as long.
        write(unsafe { std::slice::from_raw_parts_mut(self.view.start.as_ptr(), self.view.len) })
    }

    pub(super) fn publish(self) -> io::Result<Executable> {
        let Self { view, file } = self;
        let len = view.len;
        drop(view);
        let view = View::new(&file, len, ProtFlags::READ | ProtFlags::EXEC)?;
        instructions_changed(view.start.as_ptr(), len);
        Ok(Executable { view, file })
    }
}

impl Executable {
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.view.start.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.view.len
    }

    pub(super) fn make_writable(self) -> io::Result<Writable> {
        let Self { view, file } = self;
        let len = view.len;
        drop(view);
        Writable::of(file, len)
    }
}

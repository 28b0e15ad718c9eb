//! macOS: one mapping with `MAP_JIT`, whose protection is each thread's own.

use super::cache::instructions_changed;
use std::io;
use std::ptr::NonNull;

pub(super) const HOW: &str = "MAP_JIT and pthread_jit_write_protect_np";
pub(super) const REMEDY: &str =
    "with the hardened runtime: sign with com.apple.security.cs.allow-jit";

// `pthread.h`, macOS 11.
unsafe extern "C" {
    fn pthread_jit_write_protect_np(enabled: libc::c_int);
}

/// A mapping with `MAP_JIT`.
#[derive(Debug)]
struct Pages {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is this value's alone.
unsafe impl Send for Pages {}
// SAFETY: `&self` gives out an address and no access.
unsafe impl Sync for Pages {}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's, which nobody has any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[derive(Debug)]
pub(super) struct Writable(Pages);

#[derive(Debug)]
pub(super) struct Executable(Pages);

/// Lifts the protection of this thread, and puts it back.
struct Lifted;

impl Lifted {
    fn new() -> Self {
        // SAFETY: changes what this thread may do with MAP_JIT memory. No such code runs on
        // it before `drop`: the caller's closure has bytes and no function of them.
        unsafe { pthread_jit_write_protect_np(0) };
        Self
    }
}

impl Drop for Lifted {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { pthread_jit_write_protect_np(1) };
    }
}

impl Writable {
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_JIT;
        // SAFETY: a new mapping at an address of the system's choice (`mmap(2)`). With
        // MAP_JIT, writing and execution exclude each other on every thread.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast())
            .map(|start| Self(Pages { start, len }))
            .ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len
    }

    pub(super) fn write<R>(&mut self, write: impl FnOnce(&mut [u8]) -> R) -> R {
        let _lifted = Lifted::new();
        // SAFETY: `len` mapped bytes that only this value knows of, writable on this thread
        // until `_lifted` goes, which is after the borrow.
        write(unsafe { std::slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.len) })
    }

    pub(super) fn publish(self) -> io::Result<Executable> {
        instructions_changed(self.0.start.as_ptr(), self.0.len);
        Ok(Executable(self.0))
    }
}

impl Executable {
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.0.start.as_ptr()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len
    }

    pub(super) fn make_writable(self) -> io::Result<Writable> {
        Ok(Writable(self.0))
    }
}

//! Reserved address space: memory between guards that is committed as it is needed.
//!
//! Guest RAM lives here. A [`Reservation`] is inaccessible at first and has an
//! inaccessible margin on both sides for ever, so that an overrun on the host is a fault,
//! not a neighbour's memory. Committed bytes read as zero and take no physical memory until
//! they are touched.

mod shared;
#[cfg(target_os = "linux")]
mod sparse;

pub use shared::{PAGE_MAX, PageAligned, SharedBytes, unnamed_file};
#[cfg(target_os = "linux")]
pub use sparse::{SparseMemory, sealed_program, vacate};

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};
use std::io;
use std::ptr::NonNull;

/// Inaccessible bytes kept on each side of a reservation.
pub const GUARD: usize = 2 << 20;
/// Alignment of a reservation's first byte: large pages of host and guest can coincide.
pub const ALIGNMENT: usize = 2 << 20;

/// Size of a page in bytes.
pub fn page_size() -> usize {
    rustix::param::page_size()
}

/// A range of this process's address space, with guards around it.
///
/// The range is exclusively this value's. Access goes through raw pointers, because a guest
/// may be running on the same bytes; whoever forms a reference proves that it is stopped.
#[derive(Debug)]
pub struct Reservation {
    base: NonNull<u8>,
    len: usize,
    whole: NonNull<u8>,
    whole_len: usize,
}

// SAFETY: the mapping belongs to this value alone and is reached by raw pointers only.
unsafe impl Send for Reservation {}
// SAFETY: as above; `&self` methods change page state, never Rust-visible fields.
unsafe impl Sync for Reservation {}

/// What committed memory may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Inaccessible; contents are kept.
    None,
    /// Readable.
    Read,
    /// Readable and writable.
    ReadWrite,
}

impl Reservation {
    /// Reserves `len` bytes, rounded up to a page, inaccessible.
    ///
    /// # Errors
    ///
    /// When the address space is exhausted (`ENOMEM`).
    pub fn new(len: usize) -> io::Result<Self> {
        let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
        let len = len.checked_next_multiple_of(page_size()).ok_or_else(too_large)?;
        let whole_len = len.checked_add(2 * GUARD + ALIGNMENT).ok_or_else(too_large)?;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice.
        let whole = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                whole_len,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        }?;
        let whole = NonNull::new(whole.cast::<u8>()).ok_or_else(too_large)?;
        let skip = GUARD + whole.as_ptr().wrapping_add(GUARD).align_offset(ALIGNMENT);
        // SAFETY: `skip + len + GUARD <= whole_len`.
        let base = unsafe { whole.add(skip) };
        // SAFETY: the mapping is ours. Guest RAM has no business in a forked child or a
        // core dump; systems without these advices lose nothing.
        unsafe {
            let _ = madvise(whole.as_ptr().cast(), whole_len, Advice::LinuxDontFork);
            let _ = madvise(whole.as_ptr().cast(), whole_len, Advice::LinuxDontDump);
        }
        Ok(Self { base, len, whole, whole_len })
    }

    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Length in bytes, committed or not.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the reservation has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets what the bytes `offset..offset + len` may be used for. Bytes that were never
    /// accessible before read as zero.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the reservation; else what the system says.
    pub fn protect(&self, offset: usize, len: usize, protection: Protection) -> io::Result<()> {
        let flags = match protection {
            Protection::None => MprotectFlags::empty(),
            Protection::Read => MprotectFlags::READ,
            Protection::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
        };
        let start = self.check(offset, len)?;
        // SAFETY: the range lies in this reservation, whose bytes no reference covers while
        // their protection is lowered (the type's rule).
        unsafe { mprotect(start.cast(), len, flags) }.map_err(Into::into)
    }

    /// Makes the bytes zero by giving their pages back to the system.
    ///
    /// # Errors
    ///
    /// As [`Self::protect`].
    pub fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let start = self.check(offset, len)?;
        // SAFETY: as in `protect`; the mapping is private and anonymous, so that discarded
        // pages come back zeroed.
        unsafe { madvise(start.cast(), len, Advice::LinuxDontNeed) }.map_err(Into::into)
    }

    /// Backs writable bytes with memory now, which is cheaper than a fault for each page.
    /// Best effort: older systems do it on first touch as before.
    pub fn populate(&self, offset: usize, len: usize) {
        if let Ok(start) = self.check(offset, len) {
            // SAFETY: as in `protect`; contents do not change.
            let _ = unsafe { madvise(start.cast(), len, Advice::LinuxPopulateWrite) };
        }
    }

    /// Lets the system use large pages for these bytes. Best effort.
    pub fn prefer_large_pages(&self, offset: usize, len: usize) {
        if let Ok(start) = self.check(offset, len) {
            // SAFETY: as in `protect`; contents do not change.
            let _ = unsafe { madvise(start.cast(), len, Advice::LinuxHugepage) };
        }
    }

    fn check(&self, offset: usize, len: usize) -> io::Result<*mut u8> {
        match offset.checked_add(len) {
            // SAFETY: `offset` lies within the reservation.
            Some(end) if end <= self.len => Ok(unsafe { self.base.add(offset) }.as_ptr()),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "range outside a reservation")),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` and is unused from here on.
        let _ = unsafe { munmap(self.whole.as_ptr().cast(), self.whole_len) };
    }
}

/// Asks the system to have the pages of readable memory at hand. Best effort.
pub fn populate_read(bytes: &[u8]) {
    let skip = bytes.as_ptr().align_offset(page_size());
    if let Some(pages) = bytes.get(skip..) {
        // SAFETY: the range is readable for as long as `bytes` is borrowed; nothing changes.
        let _ = unsafe {
            madvise(pages.as_ptr().cast_mut().cast(), pages.len(), Advice::LinuxPopulateRead)
        };
    }
}

/// The most physical memory that this process ever had, in bytes, if the system says.
pub fn peak_resident() -> Option<u64> {
    // SAFETY: an all-zero `rusage` is valid, and the kernel fills it in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) == 0).then_some(usage)
    }?;
    // Linux counts in KiB, macOS in bytes (getrusage(2) of each).
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    u64::try_from(usage.ru_maxrss).ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_bytes_are_zero_and_discard_zeroes_them_again() {
        let memory = Reservation::new(1 << 30).unwrap();
        memory.protect(4096, 4096, Protection::ReadWrite).unwrap();
        let byte = memory.base().as_ptr().wrapping_add(4096);
        // SAFETY: committed above, and this test is the only user.
        unsafe {
            assert_eq!(*byte, 0);
            *byte = 7;
            memory.discard(4096, 4096).unwrap();
            assert_eq!(*byte, 0);
        }
    }

    #[test]
    fn ranges_outside_are_refused() {
        let memory = Reservation::new(4096).unwrap();
        for (offset, len) in [(0, 1 << 20), (1 << 20, 1), (usize::MAX, 2)] {
            let error = memory.protect(offset, len, Protection::ReadWrite).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn base_is_aligned_for_large_pages() {
        let memory = Reservation::new(1).unwrap();
        assert!(memory.base().as_ptr().addr().is_multiple_of(ALIGNMENT));
    }
}

//! Address space that is one value's: what every kind of memory here stands on.

use super::{page_size, sys};
use std::io;
use std::ptr::NonNull;

/// A range of this process's address space between two guards, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
    whole: NonNull<u8>,
    whole_len: usize,
}

// SAFETY: the address space belongs to this value alone and is reached by raw pointers only.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&self` gives out numbers and pointers, which are the user's to reason about.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Takes `len` bytes, rounded up to a page, inaccessible, with `guard` inaccessible bytes
    /// (whole pages) on each side. `alignment` is a power of two.
    pub(crate) fn new(
        len: usize,
        guard: usize,
        alignment: usize,
        random: bool,
    ) -> io::Result<Self> {
        let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
        let len = len.checked_next_multiple_of(page_size()).ok_or_else(too_large)?;
        // Whatever the system gives begins a page.
        let slack = if alignment > page_size() { alignment } else { 0 };
        let around = guard.checked_mul(2).and_then(|guards| guards.checked_add(slack));
        let whole_len = around.and_then(|more| len.checked_add(more)).ok_or_else(too_large)?;
        let whole = sys::reserve(whole_len.max(page_size()), random)?;
        let skip = guard + whole.as_ptr().wrapping_add(guard).align_offset(alignment);
        // SAFETY: `skip + len + guard <= whole_len`, since no more than `slack` is skipped.
        let base = unsafe { whole.add(skip) };
        Ok(Self { base, len, whole, whole_len: whole_len.max(page_size()) })
    }

    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All of it, with the guards.
    pub(super) fn whole(&self) -> (NonNull<u8>, usize) {
        (self.whole, self.whole_len)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the address space was taken by `new`, and its only owner is gone.
        let _ = unsafe { sys::release(self.whole, self.whole_len) };
    }
}

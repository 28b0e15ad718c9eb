//! Reserved address space: memory between guards that is committed as it is needed.
//!
//! Guest RAM lives here. A [`Reservation`] is inaccessible at first and has an
//! inaccessible margin on both sides for ever, so that an overrun on the host is a fault,
//! not a neighbour's memory. Committed bytes read as zero and take no physical memory until
//! they are touched.

use super::attributes::Attributes;
use super::budget::Lease;
use super::error::while_doing;
use super::mapping::Mapping;
use super::{AllocError, Image, VmFlags, VmInherit, VmProt, page_size, sys};
use std::io;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Inaccessible bytes kept on each side of a reservation.
pub const GUARD: usize = 2 << 20;
/// Alignment of a reservation's first byte: large pages of host and guest can coincide.
pub const ALIGNMENT: usize = 2 << 20;

/// A range of this process's address space, with guards around it.
///
/// The range is exclusively this value's. Access goes through raw pointers, because a guest
/// may be running on the same bytes; whoever forms a reference proves that it is stopped.
#[derive(Debug)]
pub struct Reservation {
    mapping: Mapping,
    views: Mutex<Vec<View>>,
    _lease: Option<Lease>,
}

/// Bytes of an image that are shown here.
#[derive(Debug)]
struct View {
    offset: usize,
    len: usize,
    image: Image,
    from: usize,
    protection: Protection,
}

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

impl From<Protection> for VmProt {
    fn from(protection: Protection) -> Self {
        match protection {
            Protection::None => Self::empty(),
            Protection::Read => Self::READ,
            Protection::ReadWrite => Self::READ | Self::WRITE,
        }
    }
}

impl Reservation {
    /// Reserves `len` bytes, rounded up to a page, inaccessible.
    ///
    /// # Errors
    ///
    /// When the address space is exhausted (`ENOMEM`).
    pub fn new(len: usize) -> io::Result<Self> {
        Self::with(len, false, None)
    }

    pub(super) fn with(len: usize, random: bool, lease: Option<Lease>) -> io::Result<Self> {
        let mapping = Mapping::new(len, GUARD, ALIGNMENT, random)?;
        let (whole, whole_len) = mapping.whole();
        // SAFETY: the mapping is ours. Guest RAM has no business in a forked child; an older
        // system without the advice loses nothing.
        let _ = unsafe { sys::inherit(whole, whole_len, VmInherit::None) };
        Ok(Self { mapping, views: Mutex::default(), _lease: lease })
    }

    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    /// Length in bytes, committed or not.
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Whether the reservation has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sets what the bytes `offset..offset + len` may be used for. Bytes that were never
    /// accessible before read as zero.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the reservation; else what the system says.
    pub fn protect(&self, offset: usize, len: usize, protection: Protection) -> io::Result<()> {
        let start = self.check(offset, len)?;
        // SAFETY: the range lies in this reservation, whose bytes no reference covers while
        // their protection is lowered (the type's rule).
        unsafe { sys::protect(start, len, protection.into()) }
    }

    /// Makes the bytes zero by giving their pages back to the system.
    ///
    /// # Errors
    ///
    /// As [`Self::protect`], and `InvalidInput` when an image is shown there: [`Self::reset`]
    /// or [`Self::hide`] it.
    pub fn discard(&self, offset: usize, len: usize) -> io::Result<()> {
        let start = self.check(offset, len)?;
        if self.views().iter().any(|view| view.meets(offset, len)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "an image is shown there"));
        }
        // SAFETY: as in `protect`.
        unsafe { sys::reset(start, len) }
    }

    /// Makes the bytes what they were at first: an image's where one is shown, zero elsewhere.
    /// Their pages are given back. On macOS the protection of an image that is shown becomes
    /// what it was at first, too, and a guest must have its pages mapped again.
    ///
    /// # Errors
    ///
    /// As [`Self::protect`], and `InvalidInput` when the range ends within a view.
    pub fn reset(&self, offset: usize, len: usize) -> io::Result<()> {
        let start = self.check(offset, len)?;
        let views = self.views();
        if views.iter().any(|view| view.meets(offset, len) && !view.within(offset, len)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "part of an image's view"));
        }
        // SAFETY: as in `protect`.
        unsafe { sys::reset(start, len) }?;
        if sys::RESET_SHOWS_IMAGES {
            return Ok(());
        }
        for view in views.iter().filter(|view| view.within(offset, len)) {
            // SAFETY: checked when it was first shown; the type's rule.
            unsafe { view.show(self.base()) }?;
        }
        Ok(())
    }

    /// Backs writable bytes with memory now, which is cheaper than a fault for each page.
    /// Best effort: older systems do it on first touch as before.
    pub fn populate(&self, offset: usize, len: usize) {
        if let Ok(start) = self.check(offset, len) {
            // SAFETY: as in `protect`; contents do not change.
            unsafe { sys::populate(start, len) };
        }
    }

    /// Lets the system use large pages for these bytes. Best effort.
    pub fn prefer_large_pages(&self, offset: usize, len: usize) {
        if let Ok(start) = self.check(offset, len) {
            // SAFETY: as in `protect`; contents do not change.
            unsafe { sys::prefer_large_pages(start, len) };
        }
    }

    /// Keeps the system from using large pages for these bytes. Best effort.
    pub fn prefer_small_pages(&self, offset: usize, len: usize) {
        if let Ok(start) = self.check(offset, len) {
            // SAFETY: as in `protect`; contents do not change.
            unsafe { sys::prefer_small_pages(start, len) };
        }
    }

    /// Shows `len` bytes of an image from its byte `from` on, copy-on-write, in place of what
    /// was there. All are whole pages.
    ///
    /// # Errors
    ///
    /// `InvalidInput` outside the reservation or the image, or across another view; else what
    /// the system says.
    pub fn show(
        &self,
        offset: usize,
        image: &Image,
        from: usize,
        len: usize,
        protection: Protection,
    ) -> io::Result<()> {
        let invalid = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        self.check(offset, len)?;
        let page = page_size();
        if len == 0 || [offset, from, len].iter().any(|number| number % page != 0) {
            return invalid("no whole pages");
        }
        if from.checked_add(len).is_none_or(|end| end > image.len()) {
            return invalid("range outside an image");
        }
        let view = View { offset, len, image: image.clone(), from, protection };
        let mut views = self.views();
        if views.iter().any(|old| old.meets(offset, len) && !old.within(offset, len)) {
            return invalid("part of an image's view");
        }
        // SAFETY: whole pages of the reservation and of the image; the type's rule.
        unsafe { view.show(self.base()) }?;
        views.retain(|old| !old.within(offset, len));
        views.push(view);
        Ok(())
    }

    /// Takes away what is shown in a range: it becomes inaccessible, and zero.
    ///
    /// # Errors
    ///
    /// As [`Self::show`].
    pub fn hide(&self, offset: usize, len: usize) -> io::Result<()> {
        let start = self.check(offset, len)?;
        let mut views = self.views();
        if views.iter().any(|old| old.meets(offset, len) && !old.within(offset, len)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "part of an image's view"));
        }
        // SAFETY: as in `show`.
        unsafe { sys::fill(start, len, &attributes(Protection::None)) }?;
        views.retain(|old| !old.within(offset, len));
        Ok(())
    }

    /// Makes an image of readable bytes, whole pages. They are copied, once.
    ///
    /// # Errors
    ///
    /// `Range` outside the reservation; else as [`Image::copy_of`].
    ///
    /// # Safety
    ///
    /// 1. The bytes are readable, and nobody writes them meanwhile: the guest is stopped.
    pub unsafe fn capture(&self, offset: usize, len: usize) -> Result<Image, AllocError> {
        let start = self.check(offset, len).map_err(while_doing("capture memory"))?;
        // SAFETY: by (1), in this reservation.
        Image::copy_of(unsafe { std::slice::from_raw_parts(start.as_ptr(), len) })
    }

    fn views(&self) -> MutexGuard<'_, Vec<View>> {
        // Whole after any panic: it is changed in one step.
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, offset: usize, len: usize) -> io::Result<NonNull<u8>> {
        match offset.checked_add(len) {
            // SAFETY: `offset` lies within the reservation.
            Some(end) if end <= self.len() => Ok(unsafe { self.base().add(offset) }),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "range outside a reservation")),
        }
    }
}

impl View {
    /// Whether it and a range have bytes in common.
    fn meets(&self, offset: usize, len: usize) -> bool {
        self.offset < offset + len && offset < self.offset + self.len
    }

    /// Whether it lies in a range.
    fn within(&self, offset: usize, len: usize) -> bool {
        offset <= self.offset && self.offset + self.len <= offset + len
    }

    /// # Safety
    ///
    /// 1. The view's pages lie in the reservation and in the image.
    /// 2. No reference covers them.
    unsafe fn show(&self, base: NonNull<u8>) -> io::Result<()> {
        let with = attributes(self.protection);
        // SAFETY: by (1) and (2).
        unsafe { self.image.pages.show(base.add(self.offset), self.from, self.len, &with) }
    }
}

/// Those of guest RAM: no forked child has it.
fn attributes(protection: Protection) -> Attributes {
    let protection = protection.into();
    Attributes { flags: VmFlags::empty(), protection, inherit: VmInherit::None }
}

#[cfg(test)]
mod tests;

//! One piece of an allocator's memory.

use super::attributes::Attributes;
use super::budget::Lease;
use super::error::while_doing;
use super::mapping::Mapping;
use super::{AllocError, Image, VmFlags, VmInherit, VmProt, page_size, sys};
use std::ptr::NonNull;

/// Whole pages from an [`Allocator`](super::Allocator), zero at first, given back when dropped.
#[derive(Debug)]
pub struct Allocation {
    pub(super) mapping: Mapping,
    pub(super) attributes: Attributes,
    /// What the pages were at first, if not zero.
    pub(super) image: Option<Image>,
    pub(super) _lease: Lease,
}

impl Allocation {
    /// First byte.
    pub fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    /// Length in bytes: whole pages.
    pub fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Whether there are no bytes: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the memory may be used for.
    pub fn protection(&self) -> VmProt {
        self.attributes.protection
    }

    /// The bytes, if they are readable and no other process may write them.
    pub fn as_slice(&self) -> Option<&[u8]> {
        // SAFETY: readable memory of this value's, which only `&mut self` lets be written.
        let slice = || unsafe { std::slice::from_raw_parts(self.base().as_ptr(), self.len()) };
        self.allows(VmProt::READ).then(slice)
    }

    /// The bytes, if they are readable and writable and no other process may write them.
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        let (base, len) = (self.base().as_ptr(), self.len());
        // SAFETY: as `as_slice`, and borrowed exclusively.
        let slice = || unsafe { std::slice::from_raw_parts_mut(base, len) };
        self.allows(VmProt::READ | VmProt::WRITE).then(slice)
    }

    fn allows(&self, rights: VmProt) -> bool {
        self.protection().contains(rights) && self.attributes.inherit != VmInherit::Share
    }

    /// Sets what the memory may be used for.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn protect(&mut self, to: VmProt) -> Result<(), AllocError> {
        // SAFETY: this value's pages; references to them would borrow it.
        unsafe { sys::protect(self.base(), self.len(), to) }
            .map_err(while_doing("protect memory"))?;
        self.attributes.protection = to;
        Ok(())
    }

    /// Makes the bytes what they were at first or when they were last frozen: zero, or an
    /// image's. Their pages are given back.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn reset(&mut self) -> Result<(), AllocError> {
        let (base, len) = (self.base(), self.len());
        match &self.image {
            // SAFETY: this value's pages, which nobody else uses; the image has as many.
            Some(image) => unsafe { image.pages.show(base, 0, len, &self.attributes) },
            // SAFETY: as above.
            None if self.attributes.inherit != VmInherit::Share => unsafe { sys::reset(base, len) },
            // SAFETY: as above. What children share stays theirs; this process begins anew.
            None => unsafe { sys::fill(base, len, &self.attributes) },
        }
        .map_err(while_doing("reset memory"))
    }

    /// Makes an image of the bytes, with which they share their pages from then on. If the
    /// system can tell that nothing was written since the last time, it is the same image.
    ///
    /// # Errors
    ///
    /// `Protected` when the bytes are not readable, `PurgeableShared` when they are purgeable;
    /// else what the system says, and if that is so on Linux while the pages are being replaced,
    /// the bytes are as before.
    pub fn freeze(&mut self) -> Result<Image, AllocError> {
        if !self.protection().contains(VmProt::READ) {
            return Err(AllocError::Protected("readable"));
        }
        if self.attributes.flags.contains(VmFlags::PURGABLE) {
            return Err(AllocError::PurgeableShared);
        }
        if let Some(image) = &self.image
            && sys::unchanged(self.base(), self.len())
        {
            return Ok(image.clone());
        }
        // SAFETY: this value's readable pages; it is borrowed exclusively, so that no reference
        // covers them. Through `base` others may write only as long as they do not race.
        let pages = unsafe { sys::Image::freeze(self.base(), self.len(), &self.attributes) }
            .map_err(while_doing("make an image of memory"))?;
        let image = Image::from_pages(pages, self.len());
        if self.attributes.inherit != VmInherit::Share {
            self.image = Some(image.clone());
        }
        Ok(image)
    }

    /// How many of the pages are this value's own: written since it was allocated or copied.
    /// Pages that were only read count if they are no copy's.
    ///
    /// # Errors
    ///
    /// When the system does not tell (Linux: `/proc/self/pagemap`).
    pub fn own_pages(&self) -> Result<usize, AllocError> {
        sys::own_pages(self.base(), self.len()).map_err(while_doing("count pages"))
    }

    /// Number of pages.
    pub fn pages(&self) -> usize {
        self.len() / page_size()
    }
}

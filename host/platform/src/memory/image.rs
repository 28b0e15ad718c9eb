//! Bytes that copies share until they write.

use super::error::while_doing;
use super::{AllocError, page_size, sys};
use std::sync::Arc;

/// Pages that do not change any more, of which any number of copies can be had: a copy costs
/// address space, and then a page for each page that is written.
///
/// An image lives as long as itself or a copy of it. Made by
/// [`Allocation::freeze`](super::Allocation::freeze),
/// [`Reservation::capture`](super::Reservation::capture) or from bytes.
#[derive(Clone, Debug)]
pub struct Image {
    pub(super) pages: Arc<sys::Image>,
    len: usize,
}

impl Image {
    /// Makes an image of bytes; what is left of the last page is zero.
    ///
    /// # Errors
    ///
    /// `Size` when there are no bytes; else what the system says.
    pub fn copy_of(bytes: &[u8]) -> Result<Self, AllocError> {
        if bytes.is_empty() {
            return Err(AllocError::Size(0));
        }
        let pages = sys::Image::copy_of(bytes).map_err(while_doing("make an image"))?;
        Ok(Self::from_pages(pages, bytes.len()))
    }

    pub(super) fn from_pages(pages: sys::Image, len: usize) -> Self {
        Self { pages: Arc::new(pages), len: len.next_multiple_of(page_size()) }
    }

    /// Length in bytes: whole pages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes: never.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

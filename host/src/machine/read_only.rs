//! The part of a guest kernel's image that no guest writes, as VMs map it.
//!
//! It is the embedded file's own pages. Where page tables have large pages of the host's size,
//! the code that most programs use is a copy instead, which all VMs of this process share: on
//! large pages, if the system has any. A guest takes one fault on that code then, where it
//! would take one a page, each of which goes through the hypervisor. That the system gives
//! large pages is likely and not necessary.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::image::Segment;
use super::memory::LARGE_PAGE;
use std::io;
use std::ptr::NonNull;
use wrt_abi::layout::GRANULE;
use wrt_hypervisor::{Access, Gva};
use wrt_platform::memory::{Protection, Reservation, populate_read};

/// Read-only segments side by side.
#[derive(Debug)]
pub(super) struct ReadOnly {
    /// Their first byte, for the host.
    pub(super) host: NonNull<u8>,
    /// Bytes from there to the last one's end: whole pages.
    pub(super) len: u64,
    /// One for each segment.
    pub(super) parts: Vec<Part>,
    /// The memory, if it is not the file's.
    _copy: Option<Reservation>,
}

// SAFETY: `host` points to static bytes, or into the copy, which lives as long. Nobody writes
// either.
unsafe impl Send for ReadOnly {}
// SAFETY: as above.
unsafe impl Sync for ReadOnly {}

/// A segment and its padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) gva: Gva,
    /// From [`ReadOnly::host`] on, in bytes.
    pub(super) offset: u64,
    /// Whole pages; whole large pages, if it has them to itself.
    pub(super) len: u64,
    pub(super) access: Access,
    pub(super) privileged: bool,
}

impl Part {
    fn new(segment: &Segment<'_>, offset: u64, len: u64) -> Self {
        let Segment { gva, access, privileged, .. } = *segment;
        Self { gva, offset, len, access, privileged }
    }
}

impl ReadOnly {
    /// The file's own pages, which hold nothing else that matters: it is padded to pages.
    pub(super) fn of_file<'a>(segments: impl Iterator<Item = &'a Segment<'static>>) -> Self {
        let segments: Vec<_> = segments.collect();
        let bytes = || segments.iter().map(|segment| segment.bytes);
        let start = bytes().map(<[u8]>::as_ptr).min().unwrap_or(std::ptr::dangling());
        let end = bytes().map(|bytes| bytes.as_ptr_range().end.addr()).max().unwrap_or(0);
        let part = |segment: &&Segment<'_>| {
            let offset = segment.bytes.as_ptr().addr() - start.addr();
            Part::new(segment, offset as u64, segment.size.next_multiple_of(GRANULE))
        };
        Self {
            // SAFETY: a reference's pointer is not null, and neither is a dangling one.
            host: unsafe { NonNull::new_unchecked(start.cast_mut()) },
            len: end.saturating_sub(start.addr()).next_multiple_of(GRANULE as usize) as u64,
            parts: segments.iter().map(part).collect(),
            _copy: None,
        }
    }

    /// A copy of a segment on large pages, which it has to itself.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub(super) fn copy_of(segment: &Segment<'_>) -> io::Result<Self> {
        let len = segment.size.next_multiple_of(LARGE_PAGE);
        let copy = Reservation::new(len as usize)?;
        copy.protect(0, len as usize, Protection::ReadWrite)?;
        copy.prefer_large_pages(0, len as usize);
        populate_read(segment.bytes);
        // SAFETY: the copy is accessible, no shorter than the segment, and nobody else's.
        unsafe {
            let to = copy.base().as_ptr();
            std::ptr::copy_nonoverlapping(segment.bytes.as_ptr(), to, segment.bytes.len());
        }
        copy.protect(0, len as usize, Protection::Read)?;
        let parts = vec![Part::new(segment, 0, len)];
        Ok(Self { host: copy.base(), len, parts, _copy: Some(copy) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::image::{self, Image};
    use wrt_abi::EngineKind;
    use wrt_guest_images::GUESTS;

    fn images() -> impl Iterator<Item = &'static Image<'static>> {
        let both = |guest| EngineKind::ALL.iter().map(move |&engine| image::of(guest, engine));
        GUESTS.iter().flat_map(both).map(Result::unwrap)
    }

    fn holds(form: &ReadOnly, segment: &Segment<'_>) {
        let part = form.parts.iter().find(|part| part.gva == segment.gva).unwrap();
        assert!(part.offset + part.len <= form.len);
        assert!(!part.access.contains(Access::WRITE));
        // SAFETY: within the form, which is readable there.
        let bytes = unsafe {
            let from = form.host.add(part.offset as usize).as_ptr();
            std::slice::from_raw_parts(from, segment.bytes.len())
        };
        assert!(bytes == segment.bytes, "{part:?}");
    }

    #[test]
    fn both_forms_hold_the_segments() {
        for image in images() {
            let form = ReadOnly::of_file(image.read_only());
            assert_eq!(form.parts.len(), image.read_only().count());
            image.read_only().for_each(|segment| holds(&form, segment));
            let code = image.code_on_large_pages().unwrap();
            holds(&ReadOnly::copy_of(code).unwrap(), code);
        }
    }

    #[test]
    fn the_kernels_code_is_on_large_pages_of_its_own() {
        for image in images() {
            let code = image.code_on_large_pages().unwrap();
            let copy = ReadOnly::copy_of(code).unwrap();
            let [part] = copy.parts[..] else { panic!("one segment") };
            assert!(part.gva.0.is_multiple_of(LARGE_PAGE) && part.len.is_multiple_of(LARGE_PAGE));
            assert!((part.gva.0..part.gva.0 + part.len).contains(&image.entry.0));
            let others = image.segments.iter().filter(|other| other.gva != part.gva);
            for Segment { gva, size, .. } in others {
                assert!(gva.0 + size <= part.gva.0 || part.gva.0 + part.len <= gva.0);
            }
        }
    }
}

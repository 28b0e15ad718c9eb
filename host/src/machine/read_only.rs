//! The part of a guest kernel's image that no guest writes, as VMs map it.
//!
//! Where page tables have large pages of the host's size it is a copy, which all VMs of this
//! process share: laid out as in the guest's map, its code on large pages of their own if the
//! image has room for them. A guest takes one fault on its kernel's code then, where it would
//! take one a page, each of which goes through the hypervisor. That the system gives large
//! pages is likely and not necessary. Elsewhere it is the embedded file's own pages.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::image::{Image, Segment};
use super::memory::LARGE_PAGE;
use crate::hypervisor::{Access, Gva};
use std::io;
use std::ptr::NonNull;
use wrt_abi::layout::GRANULE;
use wrt_platform::memory::{Protection, Reservation, populate_read};

/// Where the read-only segments are.
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
    /// The file's own pages, which hold nothing else: it is padded to pages.
    pub(super) fn of_file(image: &Image<'static>) -> Self {
        let bytes = || image.read_only().map(|segment| segment.bytes);
        let start = bytes().map(<[u8]>::as_ptr).min().unwrap_or(std::ptr::dangling());
        let end = bytes().map(|bytes| bytes.as_ptr_range().end.addr()).max().unwrap_or(0);
        let parts = image.read_only().map(|segment| {
            let offset = segment.bytes.as_ptr().addr() - start.addr();
            Part::new(segment, offset as u64, segment.size.next_multiple_of(GRANULE))
        });
        Self {
            // SAFETY: a reference's pointer is not null, and neither is a dangling one.
            host: unsafe { NonNull::new_unchecked(start.cast_mut()) },
            len: end.saturating_sub(start.addr()).next_multiple_of(GRANULE as usize) as u64,
            parts: parts.collect(),
            _copy: None,
        }
    }

    /// A copy on large pages.
    ///
    /// # Errors
    ///
    /// When there is no memory.
    pub(super) fn copy_of(image: &Image<'static>) -> io::Result<Self> {
        let start = image.read_only().map(|segment| segment.gva.0).min().unwrap_or(0);
        let start = start / LARGE_PAGE * LARGE_PAGE;
        let parts: Vec<Part> = image
            .read_only()
            .map(|segment| Part::new(segment, segment.gva.0 - start, room(image, segment)))
            .collect();
        let len = parts.iter().map(|part| part.offset + part.len).max().unwrap_or(0);
        let copy = Reservation::new(len as usize)?;
        for (part, segment) in parts.iter().zip(image.read_only()) {
            let (offset, len) = (part.offset as usize, part.len as usize);
            copy.protect(offset, len, Protection::ReadWrite)?;
            if len.is_multiple_of(LARGE_PAGE as usize) {
                copy.prefer_large_pages(offset, len);
            }
            populate_read(segment.bytes);
            // SAFETY: the part is accessible, no shorter than its segment, and nobody else's.
            unsafe {
                let to = copy.base().add(offset).as_ptr();
                std::ptr::copy_nonoverlapping(segment.bytes.as_ptr(), to, segment.bytes.len());
            }
            copy.protect(offset, len, Protection::Read)?;
        }
        Ok(Self { host: copy.base(), len, parts, _copy: Some(copy) })
    }
}

/// Bytes that a segment may take: whole large pages, if it is the runtime's code, begins one,
/// and nothing else is in them. Of constants too little is used to make up for a large page.
fn room(image: &Image<'_>, segment: &Segment<'_>) -> u64 {
    let (start, small) = (segment.gva.0, segment.size.next_multiple_of(GRANULE));
    let large = start..start + small.next_multiple_of(LARGE_PAGE);
    let taken = |other: &Segment<'_>| other.gva != segment.gva && large.contains(&other.gva.0);
    let is_code = segment.access.contains(Access::EXECUTE) && !segment.privileged;
    match is_code && start.is_multiple_of(LARGE_PAGE) && !image.segments.iter().any(taken) {
        true => large.end - start,
        false => small,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::GUESTS;
    use crate::machine::image;
    use wrt_abi::EngineKind;

    fn images() -> impl Iterator<Item = &'static Image<'static>> {
        let both = |guest| EngineKind::ALL.iter().map(move |&engine| image::of(guest, engine));
        GUESTS.iter().flat_map(both).map(Result::unwrap)
    }

    #[test]
    fn both_forms_hold_the_same_segments() {
        for image in images() {
            let forms = [ReadOnly::of_file(image), ReadOnly::copy_of(image).unwrap()];
            for form in &forms {
                assert_eq!(form.parts.len(), image.read_only().count());
                for (part, segment) in form.parts.iter().zip(image.read_only()) {
                    assert!(part.offset + part.len <= form.len);
                    assert!(!part.access.contains(Access::WRITE));
                    // SAFETY: within the form, which is readable there.
                    let bytes = unsafe {
                        let from = form.host.add(part.offset as usize).as_ptr();
                        std::slice::from_raw_parts(from, segment.bytes.len())
                    };
                    assert!(bytes == segment.bytes, "{part:?}");
                }
            }
        }
    }

    #[test]
    fn parts_of_a_copy_keep_apart() {
        for image in images() {
            let copy = ReadOnly::copy_of(image).unwrap();
            let ends: Vec<u64> = copy.parts.iter().map(|part| part.gva.0 + part.len).collect();
            let starts = image.segments.iter().map(|segment| segment.gva.0).skip(1);
            assert!(ends.iter().zip(starts).all(|(&end, start)| end <= start));
            let code = copy
                .parts
                .iter()
                .find(|part| part.access.contains(Access::EXECUTE) && !part.privileged);
            let code = code.unwrap();
            assert!(code.len.is_multiple_of(LARGE_PAGE), "the kernel's code is on large pages");
            assert_eq!(code.offset % LARGE_PAGE, code.gva.0 % LARGE_PAGE);
        }
    }
}

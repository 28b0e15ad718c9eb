//! Lazily freed pages, each with a mark by which its loss is seen.

use super::Contents;
use crate::memory::page_size;
use rustix::mm::{Advice, madvise};
use std::io;
use std::ptr::NonNull;

/// By what purgeable memory works, for people.
pub(in crate::memory) const HOW: &str =
    "MADV_FREE with a mark on each page; a registry that MADV_DONTNEEDs on pressure";

/// What is known of each page of volatile memory.
#[derive(Debug)]
pub(super) struct Marks(Vec<Option<Mark>>);

/// Two bytes of a page that is not all zero. (One that is looks the same when it is lost.)
#[derive(Debug)]
struct Mark {
    /// Where a byte is that is not zero, and the byte: a lost page has zero there.
    canary: (usize, u8),
    /// Where another byte is, and the byte. Writing it cancels the page's being freed. It must
    /// not be the canary: if the page is lost just before, the write itself puts the byte there.
    touch: (usize, u8),
}

impl Mark {
    fn of(page: &[u8]) -> Option<Self> {
        let at = page.iter().position(|byte| *byte != 0)?;
        let other = usize::from(at == 0);
        Some(Self { canary: (at, page[at]), touch: (other, page[other]) })
    }
}

/// Lets the kernel take pages.
///
/// # Safety
///
/// 1. The range is whole pages of private memory of the caller's, and nobody uses it.
pub(super) unsafe fn make_volatile(start: NonNull<u8>, len: usize) -> io::Result<Marks> {
    // SAFETY: by (1).
    let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), len) };
    let marks = bytes.chunks(page_size()).map(Mark::of).collect();
    // SAFETY: by (1); pages that are lost are found out by their marks. A kernel without the
    // advice keeps them: the registry still takes them.
    let _ = unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxFree) };
    Ok(Marks(marks))
}

/// Keeps pages from being taken, and says whether one was; all are zero then. Without marks, all
/// were taken before.
///
/// # Safety
///
/// 1. As [`make_volatile`], and the marks are those of the range.
pub(super) unsafe fn make_non_volatile(
    start: NonNull<u8>,
    len: usize,
    marks: Option<&Marks>,
) -> io::Result<Contents> {
    let Some(Marks(marks)) = marks else { return Ok(Contents::Purged) };
    let mut kept = true;
    for (page, mark) in marks.iter().enumerate() {
        let Some(Mark { canary, touch }) = mark else { continue };
        // SAFETY: within the range (1). Volatile: the kernel changes pages, too, and the order
        // is what counts: once written, the page is not taken any more, and then it is looked
        // at.
        let there = unsafe {
            let page = start.add(page * page_size()).as_ptr();
            page.add(touch.0).write_volatile(touch.1);
            page.add(canary.0).read_volatile()
        };
        kept &= there == canary.1;
    }
    if kept {
        return Ok(Contents::Kept);
    }
    // SAFETY: by (1).
    unsafe { discard(start, len) }?;
    Ok(Contents::Purged)
}

/// Takes pages now.
///
/// # Safety
///
/// 1. As [`make_volatile`].
pub(super) unsafe fn discard(start: NonNull<u8>, len: usize) -> io::Result<()> {
    // SAFETY: by (1); the memory is private and anonymous, so that its bytes are zero after it.
    unsafe { madvise(start.as_ptr().cast(), len, Advice::LinuxDontNeed) }.map_err(Into::into)
}

//! Bytes that copies share until they write.

use super::error::while_doing;
use super::{AllocError, page_size, sys};
use std::ops::Range;
use std::sync::Arc;

/// Stretches of zeros below this length are not worth a mapping less.
const GAP_MIN: usize = 64 << 10;

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

/// Ranges of whole pages (but for the last) that hold anything but zeros, joined where fewer than
/// `gap` bytes of zeros are between them.
pub(super) fn runs_of_content(bytes: &[u8], gap: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let page = page_size();
    let zeros_from = move |start: usize| {
        let rest = bytes.get(start..).unwrap_or_default();
        let empty = |page: &&[u8]| page.iter().all(|byte| *byte == 0);
        start + rest.chunks(page).take_while(empty).map(<[u8]>::len).sum::<usize>()
    };
    let mut next = zeros_from(0);
    std::iter::from_fn(move || {
        let start = next;
        let mut end = start;
        while next < bytes.len() && (end == start || next - end < gap) {
            end = (next + page).min(bytes.len());
            next = zeros_from(end);
        }
        (start < end).then_some(start..end)
    })
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

    /// Where bytes hold anything but zeros: the ranges of them that are worth being shown from an
    /// image. All begin and end with a page, the last perhaps with the bytes.
    pub fn worth_showing(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
        runs_of_content(bytes, GAP_MIN)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(bytes: &[u8], gap: usize) -> Vec<Range<usize>> {
        runs_of_content(bytes, gap).collect()
    }

    #[test]
    fn runs_are_pages_with_content() {
        let page = page_size();
        let mut bytes = vec![0; 5 * page + 100];
        assert_eq!(runs(&bytes, page), []);
        bytes[page + 7] = 1;
        bytes[3 * page] = 1;
        bytes[5 * page + 99] = 1;
        let last = 5 * page..bytes.len();
        assert_eq!(runs(&bytes, page), [page..2 * page, 3 * page..4 * page, last]);
        assert!(runs(&bytes, 2 * page).into_iter().eq(std::iter::once(page..bytes.len())));
        assert_eq!(runs(&[], page), []);
    }

    #[test]
    fn nothing_but_zeros_is_between_runs() {
        let page = page_size();
        for (pattern, gap) in (0..1 << 8).flat_map(|pattern| [1, 2, 3].map(|gap| (pattern, gap))) {
            let mut bytes = vec![0; 8 * page];
            let touched = |number: usize| pattern >> number & 1 == 1;
            (0..8).filter(|number| touched(*number)).for_each(|number| bytes[number * page] = 1);
            let runs = runs(&bytes, gap * page);
            let holds = |number: usize| runs.iter().any(|run| run.contains(&(number * page)));
            assert!((0..8).all(|number| !touched(number) || holds(number)), "{pattern:b}, {gap}");
            let far = |pair: &[Range<usize>]| pair[1].start - pair[0].end >= gap * page;
            assert!(runs.windows(2).all(far), "{pattern:b}, {gap}");
            let tight = |run: &Range<usize>| bytes[run.start] == 1 && bytes[run.end - page] == 1;
            assert!(runs.iter().all(tight), "{pattern:b}, {gap}");
        }
    }
}

//! What a reservation promises.

use super::*;
use crate::memory::Image;

#[test]
fn committed_bytes_are_zero_and_discard_zeroes_them_again() {
    let memory = Reservation::new(1 << 30).unwrap();
    memory.protect(page_size(), page_size(), Protection::ReadWrite).unwrap();
    let byte = memory.base().as_ptr().wrapping_add(page_size());
    // SAFETY: committed above, and this test is the only user.
    unsafe {
        assert_eq!(*byte, 0);
        *byte = 7;
        memory.discard(page_size(), page_size()).unwrap();
        assert_eq!(*byte, 0);
    }
}

#[test]
fn ranges_outside_are_refused() {
    let memory = Reservation::new(page_size()).unwrap();
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

/// A page of `byte`s, then one of the next.
fn two_pages(byte: u8) -> Image {
    let page = page_size();
    let bytes = [vec![byte; page], vec![byte + 1; page]].concat();
    Image::copy_of(&bytes).unwrap()
}

#[test]
fn an_image_is_shown_and_left_alone_by_writes() {
    let page = page_size();
    let image = two_pages(7);
    let memory = Reservation::new(8 * page).unwrap();
    memory.show(page, &image, 0, 2 * page, Protection::ReadWrite).unwrap();
    memory.show(4 * page, &image, page, page, Protection::Read).unwrap();
    let byte = |at: usize| memory.base().as_ptr().wrapping_add(at);
    // SAFETY: shown above, and this test is the only user.
    unsafe {
        assert_eq!([*byte(page), *byte(2 * page), *byte(4 * page)], [7, 8, 8]);
        *byte(page) = 9;
        *byte(2 * page) = 9;
        assert_eq!(*byte(4 * page), 8, "another view has its own");
    }
    assert!(memory.discard(0, 8 * page).is_err(), "an image would come back, not zeros");
    memory.reset(0, 8 * page).unwrap();
    // SAFETY: as above.
    unsafe { assert_eq!([*byte(page), *byte(2 * page)], [7, 8]) };
    memory.hide(page, 2 * page).unwrap();
    memory.protect(page, page, Protection::ReadWrite).unwrap();
    // SAFETY: as above.
    unsafe { assert_eq!(*byte(page), 0) };
    memory.discard(0, 4 * page).unwrap();
}

#[test]
fn what_was_captured_can_be_shown_elsewhere() {
    let page = page_size();
    let (first, second) = (Reservation::new(4 * page), Reservation::new(4 * page));
    let (first, second) = (first.unwrap(), second.unwrap());
    first.protect(page, 2 * page, Protection::ReadWrite).unwrap();
    // SAFETY: committed above, and this test is the only user.
    unsafe { *first.base().as_ptr().wrapping_add(2 * page) = 5 };
    // SAFETY: as above.
    let image = unsafe { first.capture(page, 2 * page) }.unwrap();
    second.show(0, &image, 0, 2 * page, Protection::Read).unwrap();
    // SAFETY: shown above.
    unsafe { assert_eq!(*second.base().as_ptr().wrapping_add(page), 5) };
}

#[test]
fn ranges_of_an_image_are_checked() {
    let page = page_size();
    let image = two_pages(1);
    let memory = Reservation::new(2 * page).unwrap();
    for (offset, from, len) in
        [(0, page, 2 * page), (page, 0, 2 * page), (1, 0, page), (0, 1, page), (0, 0, 0)]
    {
        let shown = memory.show(offset, &image, from, len, Protection::Read);
        assert!(shown.is_err(), "{offset} {from} {len}");
    }
}

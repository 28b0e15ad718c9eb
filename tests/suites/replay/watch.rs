//! Whether a byte that is read twice is found out: what `fetches` relies on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use wrt_abi::mailbox::{MAILBOX_SIZE, PAYLOAD_OFFSET, RESPONSE_OFFSET};
use wrt_fuzz::fetches::watch::Watch;
use wrt_platform::memory::{Protection, Reservation};

/// Whether a mailbox may be read so. It holds the lowest byte of each offset.
fn is_fine(read: impl FnOnce(NonNull<u8>)) -> bool {
    let page = Reservation::new(MAILBOX_SIZE).expect("address space");
    page.protect(0, MAILBOX_SIZE, Protection::ReadWrite).expect("memory");
    for offset in 0..MAILBOX_SIZE {
        // SAFETY: within the page, which is accessible.
        unsafe { page.base().add(offset).write(offset.to_le_bytes()[0]) };
    }
    let mut watch = Watch::new();
    watch.arm(Some(page.base()), None, None);
    read(page.base());
    catch_unwind(AssertUnwindSafe(|| watch.disarm())).is_ok()
}

/// A word of the mailbox.
fn word(page: NonNull<u8>, offset: usize) -> u32 {
    assert!(offset + 4 <= MAILBOX_SIZE);
    // SAFETY: within the page, which is aligned.
    unsafe { page.add(offset).cast::<u32>().as_ptr().read_volatile() }
}

/// A copy of a part of the mailbox, by the C library.
fn copy(page: NonNull<u8>, offset: usize, len: usize) -> Vec<u8> {
    assert!(offset + len <= MAILBOX_SIZE);
    let mut copy = vec![0; len];
    // SAFETY: within the page; the copy is our own.
    unsafe { page.add(offset).as_ptr().copy_to_nonoverlapping(copy.as_mut_ptr(), len) };
    copy
}

#[test]
fn what_is_read_once_is_fine() {
    assert!(is_fine(|_| {}));
    assert!(is_fine(|page| assert_eq!(word(page, 0).to_le_bytes(), [0, 1, 2, 3])));
    assert!(is_fine(|page| assert_eq!([word(page, 4), word(page, 0)].map(|w| w & 0xff), [4, 0])));
    // Lengths that the library copies in different ways.
    for len in [1, 3, 8, 15, 31, 64, 100, 255, 500, 1000, 5000, MAILBOX_SIZE - PAYLOAD_OFFSET] {
        assert!(is_fine(|page| {
            let copy = copy(page, PAYLOAD_OFFSET, len);
            let right = |(offset, byte): (usize, &u8)| *byte == offset.to_le_bytes()[0];
            assert!(copy.iter().enumerate().all(right), "a copy of {len} bytes is wrong");
        }));
    }
}

#[test]
fn what_is_read_again_is_found_and_is_different() {
    assert!(!is_fine(|page| {
        let (first, second) = (word(page, 4), word(page, 4));
        assert_eq!(first, !second, "it has changed as soon as it was read");
    }));
    // One byte of a word, the last one of a copy.
    assert!(!is_fine(|page| {
        word(page, 8);
        // SAFETY: within the page.
        unsafe { page.add(11).as_ptr().read_volatile() };
    }));
    assert!(!is_fine(|page| {
        copy(page, PAYLOAD_OFFSET, 100);
        copy(page, PAYLOAD_OFFSET + 99, 100);
    }));
    assert!(!is_fine(|page| {
        word(page, 4);
        copy(page, 0, 100);
    }));
}

#[test]
fn what_the_host_wrote_is_not_read_at_all() {
    assert!(is_fine(|page| {
        // SAFETY: within the page, which is aligned.
        unsafe { page.add(RESPONSE_OFFSET).cast::<u32>().as_ptr().write_volatile(1) };
    }));
    assert!(!is_fine(|page| drop(word(page, RESPONSE_OFFSET).to_string())));
    assert!(!is_fine(|page| {
        // SAFETY: as above. An instruction that reads and writes.
        unsafe { *page.add(RESPONSE_OFFSET).cast::<u64>().as_ptr() += 1 };
    }));
}

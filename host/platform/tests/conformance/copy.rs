//! Copies: each its own, whichever way it was made.

use wrt_platform::copy::{COPY_ON_WRITE_FROM, Image};

#[test]
fn a_copy_is_equal_and_apart() {
    for len in [1, 100, 4096, 16384, 100_001, COPY_ON_WRITE_FROM] {
        let bytes: Vec<u8> = (0..=250_u8).cycle().take(len).collect();
        let image = Image::new(&bytes).unwrap();
        let mut copies = [image.copy_bytes(), image.copy_pages().unwrap(), image.copy().unwrap()];
        for (number, copy) in copies.iter_mut().enumerate() {
            assert!(copy[..] == bytes[..], "{len}");
            copy[len - 1] = 255;
            assert!(image.copy().unwrap()[len - 1] != 255, "copy {number} wrote to its image");
        }
        assert_eq!(image.len(), len);
    }
}

#[test]
fn the_way_goes_by_size() {
    let by_pages = |len| Image::new(&vec![1; len]).unwrap().copy().unwrap().is_by_pages();
    assert!(!by_pages(COPY_ON_WRITE_FROM - 1));
    assert!(by_pages(COPY_ON_WRITE_FROM));
}

#[test]
fn nothing_can_be_copied() {
    let image = Image::new(&[]).unwrap();
    assert!(image.is_empty() && image.copy().unwrap().is_empty());
    assert!(image.copy_pages().unwrap().is_empty());
}

#[test]
fn a_copy_outlives_its_image() {
    let image = Image::new(&[7; 1 << 20]).unwrap();
    let copy = image.copy_pages().unwrap();
    drop(image);
    assert!(copy.iter().all(|byte| *byte == 7));
}

//! From which size on a copy by pages is cheaper, by how much of it is written.

use super::{least, ratio};
use std::hint::black_box;
use wrt_platform::copy::{COPY_ON_WRITE_FROM, Copy, Image};
use wrt_platform::memory::page_size;

/// One page in so many is written; 0 for none.
const WRITTEN: [usize; 4] = [0, 8, 2, 1];

fn touch(copy: &mut Copy, every: usize) {
    // What is copied is read, at least here and there.
    for page in 0..copy.len() / page_size() {
        black_box(copy[page * page_size()]);
        if every > 0 && page % every == 0 {
            copy[page * page_size()] = 1;
        }
    }
}

pub(super) fn run() {
    let sizes = [16, 32, 64, 128, 256, 512, 1024, 4096, 16_384].map(|kib| kib << 10);
    for every in WRITTEN {
        let mut from = None;
        let what = match every {
            0 => "read only".to_owned(),
            every => format!("one page in {every} written"),
        };
        let mut line = String::new();
        for len in sizes {
            let image = Image::new(&vec![7; len]).unwrap();
            let bytes = least(60, || touch(&mut image.copy_bytes(), every));
            let pages = least(60, || touch(&mut image.copy_pages().unwrap(), every));
            let ratio = ratio(pages, bytes);
            line += &format!(" {}K {ratio:.2}", len >> 10);
            match ratio < 1.0 {
                true => from = from.or(Some(len)),
                false => from = None,
            }
        }
        let from = from.map_or("never".to_owned(), |len| format!("from {} KiB on", len >> 10));
        println!("  {what}: by pages is cheaper {from}\n    pages : bytes {line}");
    }
    println!("  COPY_ON_WRITE_FROM is {} KiB", COPY_ON_WRITE_FROM >> 10);
}

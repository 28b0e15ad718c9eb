//! Ten megabytes into a file and out again, in pieces of many sizes.

use std::fs::File;
use std::io::{Read, Write};

const SIZE: usize = 10 << 20;

fn byte(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

fn main() {
    let mut file = File::create("large").unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(byte).collect();
    let mut rest = &bytes[..];
    for size in [1, 100, 4096, 4097, 65_536, 65_537, 1 << 20].iter().cycle() {
        let (piece, after) = rest.split_at((*size).min(rest.len()));
        file.write_all(piece).unwrap();
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(file.metadata().unwrap().len(), SIZE as u64);
    drop(file);
    let mut read = Vec::new();
    File::open("large").unwrap().read_to_end(&mut read).unwrap();
    assert!(read == bytes);
    println!("{} bytes", read.len());
}

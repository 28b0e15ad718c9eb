//! How much of a directory is read, and that it can be ended.

use super::super::errno::Result;
use super::super::listing::Listing;
use super::scratch;
use std::fs::{self, File};
use std::path::Path;
use wasmtime_wasi::p1::types::Errno;

const COUNT: usize = 3_000;

fn filled(directory: &Path) -> File {
    for index in 0..COUNT {
        fs::write(directory.join(format!("{index}")), "").unwrap();
    }
    File::open(directory).unwrap()
}

/// Reads entries from `index` on, `many` of them; counts what is read from the system.
fn read(listing: &mut Listing, directory: &File, index: usize, many: usize) -> (usize, usize) {
    let mut from_system = 0;
    let mut go_on = || -> Result<()> {
        from_system += 1;
        Ok(())
    };
    let found = (index..index + many)
        .take_while(|index| listing.entry(directory, *index as u64, &mut go_on).unwrap().is_some())
        .count();
    (found, from_system)
}

#[test]
fn a_directory_is_read_once_however_small_the_buffer() {
    let folder = scratch();
    let directory = filled(folder.path());
    let mut listing = Listing::default();
    let mut from_system = 0;
    for index in 0..COUNT {
        // Each again, as a program does whose buffer cut it.
        for _ in 0..2 {
            let (found, read) = read(&mut listing, &directory, index, 1);
            assert_eq!(found, 1);
            from_system += read;
        }
    }
    assert_eq!(from_system, COUNT);
    assert_eq!(read(&mut listing, &directory, COUNT, 1).0, 0);
    // Past the end is the end, which is not read again; from the beginning it is.
    assert_eq!(read(&mut listing, &directory, usize::MAX / 2, 1), (0, 1));
    assert_eq!(read(&mut listing, &directory, 0, COUNT + 1), (COUNT, COUNT + 1));
}

#[test]
fn entries_that_go_do_not_move_the_others() {
    let folder = scratch();
    let directory = filled(folder.path());
    let mut listing = Listing::default();
    for index in 0.. {
        let entry = listing.entry(&directory, index, || Ok(())).unwrap();
        let Some(entry) = entry else { break };
        fs::remove_file(folder.path().join(entry.name.to_str().unwrap())).unwrap();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn reading_ends_when_it_is_told_to() {
    let folder = scratch();
    let directory = filled(folder.path());
    let mut left = 1_000;
    let mut listing = Listing::default();
    let ended = listing.entry(&directory, u64::MAX, || match left {
        0 => Err(Errno::Canceled.into()),
        _ => {
            left -= 1;
            Ok(())
        }
    });
    assert!(ended.is_err());
    assert_eq!(left, 0);
}

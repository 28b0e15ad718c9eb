//! How much of a directory is read, and that it can be ended.

use super::super::errno::Result;
use super::super::listing::Listing;
use super::scratch;
use std::fs::{self, File};
use std::path::Path;
use wrt_abi::services::wasi::Errno;

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

/// Names of entries from `index` on, until the end.
fn names(listing: &mut Listing, directory: &File, index: u64) -> Vec<String> {
    let (mut names, mut index) = (Vec::new(), index);
    while let Some(entry) = listing.entry(directory, index, || Ok(())).unwrap() {
        names.push(entry.name.to_str().unwrap().to_owned());
        index = entry.next;
    }
    names
}

/// Whether a directory's positions stay right while entries go, asked of the system itself.
fn has_lasting_positions() -> bool {
    let folder = scratch();
    let mut stream = rustix::fs::Dir::new(filled(folder.path())).unwrap();
    let entries: Vec<_> = stream.by_ref().map(|entry| entry.unwrap()).collect();
    let of_ours = |name: &std::ffi::CStr| !name.to_bytes().starts_with(b".");
    for entry in entries[..COUNT / 2].iter().filter(|entry| of_ours(entry.file_name())) {
        fs::remove_file(folder.path().join(entry.file_name().to_str().unwrap())).unwrap();
    }
    let Some(position) = wrt_platform::files::position_behind(&entries[COUNT / 2]) else {
        return false;
    };
    stream.seek(position).unwrap();
    let next = stream.find(|entry| of_ours(entry.as_ref().unwrap().file_name()));
    let expected = entries[COUNT / 2 + 1..].iter().find(|entry| of_ours(entry.file_name()));
    let (next, expected) = (next.unwrap().unwrap(), expected.unwrap());
    next.file_name() == expected.file_name()
}

#[test]
fn a_position_far_back_is_right_though_entries_have_gone() {
    if !has_lasting_positions() {
        eprintln!("skipped: this file system's positions move when entries go");
        return;
    }
    let folder = scratch();
    let directory = filled(folder.path());
    let mut listing = Listing::default();
    let all = names(&mut listing, &directory, 0);
    let goes = |index: usize| !index.is_multiple_of(3);
    for (_, name) in all.iter().enumerate().filter(|(index, _)| goes(*index)) {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    for index in [2_700, 3, 1_500, 0] {
        let left: Vec<_> = (index..COUNT).filter(|index| !goes(*index)).collect();
        let left: Vec<_> = left.into_iter().map(|index| &all[index]).collect();
        let found = names(&mut listing, &directory, index as u64);
        assert_eq!(found.iter().collect::<Vec<_>>(), left, "from {index} on");
    }
}

#[test]
fn to_go_back_takes_no_more_than_one_entry_among_the_first() {
    let folder = scratch();
    let directory = filled(folder.path());
    let mut listing = Listing::default();
    let all = names(&mut listing, &directory, 0);
    assert_eq!(all.len(), COUNT);
    for index in [2_000, 0, 1_234, 7, 2_998] {
        let mut from_system = 0;
        let mut go_on = || -> Result<()> {
            from_system += 1;
            Ok(())
        };
        let entry = listing.entry(&directory, index as u64, &mut go_on).unwrap().unwrap();
        assert_eq!(entry.name.to_str().unwrap(), all[index]);
        let most = if cfg!(target_os = "linux") { 1 } else { index + 1 };
        assert!(from_system <= most, "{from_system} entries for number {index}");
    }
}

/// More entries than positions are noted: those behind are counted from the last.
#[test]
fn to_go_back_in_a_large_directory_begins_behind_the_first_entries() {
    let folder = scratch();
    let directory = filled(folder.path());
    for index in COUNT..10_000 {
        fs::write(folder.path().join(format!("{index}")), "").unwrap();
    }
    let mut listing = Listing::default();
    let all = names(&mut listing, &directory, 0);
    for index in [8_000, 4_095, 4_100, 0] {
        let mut from_system = 0;
        let mut go_on = || -> Result<()> {
            from_system += 1;
            Ok(())
        };
        let entry = listing.entry(&directory, index as u64, &mut go_on).unwrap().unwrap();
        assert_eq!(entry.name.to_str().unwrap(), all[index]);
        let most = if cfg!(target_os = "linux") { index.saturating_sub(4_095) } else { index };
        assert!(from_system <= most + 1, "{from_system} entries for number {index}");
    }
}

/// One that is new is found or not, and the others are.
#[test]
fn entries_that_are_new_do_not_hide_others() {
    let folder = scratch();
    let directory = filled(folder.path());
    let mut listing = Listing::default();
    let all = names(&mut listing, &directory, 0);
    for index in 0..500 {
        fs::write(folder.path().join(format!("new{index}")), "").unwrap();
    }
    for index in [2_000, 10, 1_000] {
        let found = names(&mut listing, &directory, index as u64);
        for name in &all[index..] {
            assert!(found.contains(name), "{name} is missing from {index} on");
        }
    }
}

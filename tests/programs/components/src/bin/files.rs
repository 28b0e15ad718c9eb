//! Files and directories by the standard library.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::time::{Duration, UNIX_EPOCH};

fn main() {
    fs::write("one.txt", "first line\n").unwrap();
    let mut file = OpenOptions::new().append(true).open("one.txt").unwrap();
    file.write_all(b"second ").unwrap();
    file.write_all(b"line\n").unwrap();
    assert_eq!(fs::read_to_string("/one.txt").unwrap(), "first line\nsecond line\n");

    let mut file = OpenOptions::new().read(true).write(true).open("one.txt").unwrap();
    file.seek(SeekFrom::Start(6)).unwrap();
    file.write_all(b"LINE").unwrap();
    file.seek(SeekFrom::End(-5)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "line\n");
    assert_eq!(file.stream_position().unwrap(), 23);
    file.set_len(10).unwrap();
    assert_eq!(fs::read_to_string("one.txt").unwrap(), "first LINE");
    file.sync_all().unwrap();

    let time = UNIX_EPOCH + Duration::new(1_234_567_890, 123_456_789);
    file.set_times(FileTimes::new().set_modified(time).set_accessed(UNIX_EPOCH)).unwrap();
    let metadata = fs::metadata("one.txt").unwrap();
    assert_eq!(metadata.modified().unwrap(), time);
    assert_eq!(metadata.accessed().unwrap(), UNIX_EPOCH);
    assert!(metadata.is_file() && metadata.len() == 10);

    fs::create_dir_all("a/b/c").unwrap();
    fs::rename("one.txt", "a/two.txt").unwrap();
    fs::hard_link("a/two.txt", "a/three.txt").unwrap();
    fs::copy("a/two.txt", "a/b/four.txt").unwrap();
    let mut names: Vec<_> = fs::read_dir("a")
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (entry.file_name().into_string().unwrap(), entry.file_type().unwrap().is_dir())
        })
        .collect();
    names.sort();
    let expected = [("b", true), ("three.txt", false), ("two.txt", false)];
    assert_eq!(names, expected.map(|(name, is_dir)| (name.to_owned(), is_dir)));
    assert!(fs::metadata("a").unwrap().is_dir());

    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(kind(fs::remove_file("missing")), ErrorKind::NotFound);
    assert_eq!(kind(fs::create_dir("a")), ErrorKind::AlreadyExists);
    assert_eq!(kind(File::create_new("a/two.txt").map(drop)), ErrorKind::AlreadyExists);
    assert_eq!(kind(File::open("a/two.txt/x").map(drop)), ErrorKind::NotADirectory);
    assert_eq!(kind(fs::write("../outside/planted", "no")), ErrorKind::PermissionDenied);
    assert_eq!(kind(fs::read("../outside/secret.txt").map(drop)), ErrorKind::PermissionDenied);
    assert_eq!(kind(fs::read("a/../../outside/secret.txt").map(drop)), ErrorKind::PermissionDenied);

    fs::remove_file("a/three.txt").unwrap();
    fs::remove_dir("a/b/c").unwrap();
    fs::rename("a/b/four.txt", "four.txt").unwrap();
    fs::remove_dir_all("a").unwrap();
    println!("done");
}

//! The standard library's files, as an ordinary program uses them.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};

fn main() {
    // Relative paths and absolute ones mean the same.
    fs::write("greeting.txt", "hello").unwrap();
    assert_eq!(fs::read_to_string("/greeting.txt").unwrap(), "hello");

    fs::create_dir_all("/deep/er/est").unwrap();
    fs::copy("/greeting.txt", "/deep/er/copy.txt").unwrap();
    OpenOptions::new()
        .append(true)
        .open("/deep/er/copy.txt")
        .and_then(|mut file| file.write_all(b", world"))
        .unwrap();

    let mut file = File::open("/deep/er/copy.txt").unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let mut rest = String::new();
    file.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "world");
    assert_eq!(file.metadata().unwrap().len(), 12);

    let mut names: Vec<_> = fs::read_dir("/deep/er")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["copy.txt", "est"]);

    let error = |result: std::io::Result<()>| result.unwrap_err().kind();
    assert_eq!(error(fs::remove_file("/missing")), ErrorKind::NotFound);
    assert_eq!(error(fs::create_dir("/deep")), ErrorKind::AlreadyExists);
    assert_eq!(error(fs::write("/../outside/planted", "no")), ErrorKind::PermissionDenied);

    // The library has no kind for this one on WASI yet, only the number.
    let not_empty = fs::remove_dir("/deep").unwrap_err();
    assert_eq!(not_empty.raw_os_error(), Some(55));

    fs::rename("/deep/er", "/moved").unwrap();
    fs::remove_dir_all("/deep").unwrap();
    println!("{}", fs::read_to_string("/moved/copy.txt").unwrap());
}

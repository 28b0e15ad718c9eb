//! A directory that must not be changed: each way to do so is refused, and reading is not.

use component_programs::*;
use std::fs;

fn main() {
    assert_eq!(fs::read_to_string("/kept.txt").unwrap(), "kept\n");
    assert_eq!(fs::read_dir("/").unwrap().count(), 2);
    let root = root();
    let none = PathFlags::empty();
    let no_time = NewTimestamp::NoChange;
    for (what, result) in [
        ("create", open("new", OpenFlags::CREATE, READ_WRITE).map(drop)),
        ("truncate", open("kept.txt", OpenFlags::TRUNCATE, READ_WRITE).map(drop)),
        ("write", open("kept.txt", OpenFlags::empty(), READ_WRITE).map(drop)),
        ("mkdir", root.create_directory_at("new")),
        ("unlink", root.unlink_file_at("kept.txt")),
        ("rmdir", root.remove_directory_at("folder")),
        ("rename", root.rename_at("kept.txt", &root, "new")),
        ("link", root.link_at(none, "kept.txt", &root, "new")),
        ("symlink", root.symlink_at("kept.txt", "new")),
        ("times", root.set_times_at(none, "kept.txt", NewTimestamp::Now, no_time)),
    ] {
        let code = result.expect_err(what);
        assert!(matches!(code, ErrorCode::NotPermitted | ErrorCode::ReadOnly), "{what}: {code:?}");
    }
    // What was opened for reading stays so.
    let file = open("kept.txt", OpenFlags::empty(), DescriptorFlags::READ).unwrap();
    for (what, result) in [
        ("write", file.write(b"x", 0).map(drop)),
        ("stream", file.write_via_stream(0).map(drop)),
        ("append", file.append_via_stream().map(drop)),
        ("size", file.set_size(0)),
        ("times of the file", file.set_times(NewTimestamp::Now, no_time)),
    ] {
        assert_eq!(result, Err(ErrorCode::NotPermitted), "{what}");
    }
    assert_eq!(root.get_flags(), Ok(DescriptorFlags::READ));
    assert_eq!(contents(&file), b"kept\n");
    println!("refused");
}

//! The files that calls are tried on, made anew for each.

use component_programs::{DescriptorFlags, OpenFlags, PathFlags, READ_WRITE};
use wasip2::filesystem::types::{Descriptor, DescriptorType};

/// A directory that was opened to the program.
pub fn preopened(name: &str) -> Descriptor {
    let all = wasip2::filesystem::preopens::get_directories();
    all.into_iter().find(|(_, found)| found == name).expect("it was opened").0
}

/// Makes a file with these bytes, or gives one these bytes.
pub fn write(root: &Descriptor, path: &str, bytes: &[u8]) {
    let how = OpenFlags::CREATE | OpenFlags::TRUNCATE;
    let file = root.open_at(PathFlags::empty(), path, how, READ_WRITE).expect("a file");
    assert_eq!(file.write(bytes, 0), Ok(bytes.len() as u64));
}

/// A fresh directory `w`, with something of each kind in it.
pub fn fresh(root: &Descriptor) -> Descriptor {
    remove(root, "w");
    root.create_directory_at("w").expect("a directory");
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    let w = root.open_at(PathFlags::empty(), "w", OpenFlags::DIRECTORY, flags).expect("it");
    write(&w, "file", b"0123456789");
    w.create_directory_at("dir").expect("a directory");
    write(&w, "dir/inner", b"inner");
    w.create_directory_at("empty").expect("a directory");
    for (target, link) in [
        ("file", "to-file"),
        ("dir", "to-dir"),
        ("nothing", "dangling"),
        ("loop", "loop"),
        ("../../outside", "out"),
    ] {
        w.symlink_at(target, link).expect("a link");
    }
    w
}

/// Removes all that has a path, if anything has.
pub fn remove(root: &Descriptor, path: &str) {
    let Ok(stat) = root.stat_at(PathFlags::empty(), path) else { return };
    if stat.type_ != DescriptorType::Directory {
        root.unlink_file_at(path).expect("a file");
        return;
    }
    let flags = DescriptorFlags::READ;
    let directory = root.open_at(PathFlags::empty(), path, OpenFlags::DIRECTORY, flags);
    let entries = directory.expect("a directory").read_directory().expect("its entries");
    while let Some(entry) = entries.read_directory_entry().expect("an entry") {
        remove(root, &format!("{path}/{}", entry.name));
    }
    drop(entries);
    root.remove_directory_at(path).expect("an empty directory");
}

//! Reading directories, of odd names and while they change.

use crate::show::{Show as _, line};
use crate::world::{preopened, remove, write};
use component_programs::{DescriptorFlags, OpenFlags, PathFlags};
use wasip2::filesystem::types::Descriptor;

fn directory(root: &Descriptor, path: &str) -> Descriptor {
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    root.open_at(PathFlags::empty(), path, OpenFlags::DIRECTORY, flags).expect("a directory")
}

/// Its entries in order of their names, and the errors in their places.
fn entries(of: &Descriptor) -> Vec<String> {
    let stream = of.read_directory().expect("a stream");
    let mut found = Vec::new();
    loop {
        match stream.read_directory_entry() {
            Ok(None) => break,
            Ok(Some(entry)) => found.push(format!("{:?} {:?}", entry.name, entry.type_)),
            Err(code) => found.push(code.name().to_owned()),
        }
    }
    line("the end again", stream.read_directory_entry().map(|entry| entry.is_none()));
    found.sort();
    found
}

pub fn all() {
    let root = preopened("/");
    println!("odd names: {:?}", entries(&directory(&root, "odd")));
    println!("kinds: {:?}", entries(&directory(&root, "kinds")));
    println!("read-only: {:?}", entries(&preopened("/ro")));
    removing(&root);
    adding(&root);
    removed(&root);
}

/// Files that are removed one by one while their directory is read.
fn removing(root: &Descriptor) {
    root.create_directory_at("many").expect("a directory");
    let many = directory(root, "many");
    for number in 0..3000 {
        write(&many, &format!("{number:040}"), b"");
    }
    let stream = many.read_directory().expect("a stream");
    let mut seen = 0;
    while let Some(entry) = stream.read_directory_entry().expect("an entry") {
        many.unlink_file_at(&entry.name).expect("a file");
        seen += 1;
    }
    println!("removed: {seen}, left: {}", entries(&many).len());
    line("removed: directory", root.remove_directory_at("many"));
}

/// Files that come while their directory is read: those before are all seen, once.
fn adding(root: &Descriptor) {
    root.create_directory_at("more").expect("a directory");
    let more = directory(root, "more");
    for number in 0..1000 {
        write(&more, &format!("old {number:040}"), b"");
    }
    let (one, other) = (more.read_directory().unwrap(), more.read_directory().unwrap());
    let (mut first, mut second) = (Vec::new(), Vec::new());
    while let Some(entry) = one.read_directory_entry().expect("an entry") {
        if entry.name.starts_with("old") {
            let name = format!("new {}", first.len());
            write(&more, &name, b"");
            first.push(entry.name);
        }
    }
    while let Some(entry) = other.read_directory_entry().expect("an entry") {
        if entry.name.starts_with("old") {
            second.push(entry.name);
        }
    }
    for names in [&mut first, &mut second] {
        names.sort();
        let all = names.len();
        names.dedup();
        println!("added: {all} seen, {} of them once", names.len());
    }
    remove(root, "more");
}

/// A directory that is removed while it is open.
fn removed(root: &Descriptor) {
    root.create_directory_at("gone").expect("a directory");
    let gone = directory(root, "gone");
    let stream = gone.read_directory().expect("a stream");
    root.remove_directory_at("gone").expect("it is empty");
    println!("gone: {:?}", stream.read_directory_entry().map(|entry| entry.is_none()).show());
    let made = gone.open_at(PathFlags::empty(), "x", OpenFlags::CREATE, DescriptorFlags::WRITE);
    println!("gone: {:?}", made.map(drop).show());
    println!("gone: {:?}", gone.stat().map(|stat| stat.link_count).show());
    println!("gone: {:?}", gone.read_directory().map(drop).show());
}

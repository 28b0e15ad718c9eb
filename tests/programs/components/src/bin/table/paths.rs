//! Every operation that takes a path, on every kind of path.

use crate::show::{Opaque, Show as _, line, name};
use crate::world::{fresh, preopened, remove, write};
use component_programs::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};
use wasip2::filesystem::types::Descriptor;

const NONE: PathFlags = PathFlags::empty();
const FOLLOW: PathFlags = PathFlags::SYMLINK_FOLLOW;

/// Paths below the directory that [`fresh`] makes.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "file",
        "dir",
        "missing",
        "empty",
        "to-file",
        "to-dir",
        "dangling",
        "loop",
        "out",
        "",
        ".",
        "..",
        "/",
        "/file",
        "./file",
        "file/",
        "file/.",
        "file/x",
        "file/..",
        "dir/",
        "dir/.",
        "dir/..",
        "dir/../file",
        "dir/inner",
        "dir//inner",
        "dir/inner/",
        "empty/",
        "missing/",
        "missing/x",
        "missing/..",
        "to-file/",
        "to-dir/",
        "to-dir/inner",
        "to-dir/..",
        "dangling/",
        "loop/x",
        "out/",
        "out/secret.txt",
        "../w/file",
        "../../outside",
        "a\0b",
        "\0",
        " ",
        "é",
        "...",
        "dir/../../w",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push("x".repeat(255));
    paths.push("x".repeat(256));
    paths.push("dir/../".repeat(585) + "file");
    paths.push("./".repeat(2045) + "file");
    paths.push("./".repeat(2046) + "file");
    paths.push("./".repeat(40_000) + "file");
    paths
}

/// `open-at`, with every combination of flags.
pub fn open() {
    let root = preopened("/");
    let all = OpenFlags::CREATE | OpenFlags::DIRECTORY | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
    let rights = [
        ("-", DescriptorFlags::empty()),
        ("r", DescriptorFlags::READ),
        ("w", DescriptorFlags::WRITE),
        ("rw", DescriptorFlags::READ | DescriptorFlags::WRITE),
        ("rm", DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY),
        ("rs", DescriptorFlags::READ | DescriptorFlags::FILE_INTEGRITY_SYNC),
        ("rd", DescriptorFlags::READ | DescriptorFlags::DATA_INTEGRITY_SYNC),
        ("wq", DescriptorFlags::WRITE | DescriptorFlags::REQUESTED_WRITE_SYNC),
    ];
    let w = fresh(&root);
    for path in paths() {
        for (letters, flags) in rights {
            for follow in [NONE, FOLLOW] {
                let opened: Vec<String> = (0..=all.bits())
                    .map(|how| {
                        let how = OpenFlags::from_bits_truncate(how);
                        let opened = w.open_at(follow, &path, how, flags);
                        let is_open = opened.is_ok();
                        let shown = opened.and_then(|file| file.get_type()).show();
                        if is_open && how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE) {
                            tidy(&w);
                        }
                        shown.replace("DescriptorType::", "")
                    })
                    .collect();
                println!("open {} {letters} {follow:?}: {}", name(&path), opened.join(" "));
            }
        }
    }
    let ro = preopened("/ro");
    for path in ["file", "dir", "missing", "to-file"] {
        for (letters, flags) in rights {
            let opened: Vec<String> = (0..=all.bits())
                .map(|how| {
                    let how = OpenFlags::from_bits_truncate(how);
                    ro.open_at(FOLLOW, path, how, flags).and_then(|file| file.get_type()).show()
                })
                .collect();
            println!(
                "open /ro {path} {letters}: {}",
                opened.join(" ").replace("DescriptorType::", "")
            );
        }
    }
}

/// Undoes what opening may have done to the world.
fn tidy(w: &Descriptor) {
    for made in ["missing", "nothing", " ", "é", "..."] {
        let _ = w.unlink_file_at(made);
    }
    let _ = w.unlink_file_at(&"x".repeat(255));
    // It may have been cut to nothing.
    if w.stat_at(NONE, "file").expect("a file").size == 0 {
        write(w, "file", b"0123456789");
    }
}

/// Each operation on one path, in a world of its own.
pub fn operations() {
    let root = preopened("/");
    let keep = NewTimestamp::NoChange;
    for path in paths() {
        let w = fresh(&root);
        let shown = name(&path);
        for follow in [NONE, FOLLOW] {
            let stat = w.stat_at(follow, &path).map(|stat| (stat.type_, stat.link_count));
            line(&format!("stat {shown} {follow:?}"), stat);
            line(&format!("hash {shown} {follow:?}"), Opaque(w.metadata_hash_at(follow, &path)));
            let times = w.set_times_at(follow, &path, keep, NewTimestamp::Now);
            line(&format!("times {shown} {follow:?}"), times);
        }
        line(&format!("readlink {shown}"), w.readlink_at(&path));
        line(&format!("mkdir {shown}"), w.create_directory_at(&path));
        remove_all(&root);
        line(&format!("rmdir {shown}"), fresh(&root).remove_directory_at(&path));
        line(&format!("unlink {shown}"), fresh(&root).unlink_file_at(&path));
        line(&format!("symlink to {shown}"), fresh(&root).symlink_at(&path, "new"));
        line(&format!("symlink at {shown}"), fresh(&root).symlink_at("file", &path));
        let w = fresh(&root);
        line(&format!("link of {shown}"), w.link_at(NONE, &path, &w, "new"));
        let w = fresh(&root);
        line(&format!("link followed of {shown}"), w.link_at(FOLLOW, &path, &w, "new"));
        let w = fresh(&root);
        line(&format!("link at {shown}"), w.link_at(NONE, "file", &w, &path));
        let w = fresh(&root);
        line(&format!("rename of {shown}"), w.rename_at(&path, &w, "new"));
        let w = fresh(&root);
        line(&format!("rename file to {shown}"), w.rename_at("file", &w, &path));
        let w = fresh(&root);
        line(&format!("rename dir to {shown}"), w.rename_at("dir", &w, &path));
        remove_all(&root);
    }
}

/// Removes what an operation may have put elsewhere.
fn remove_all(root: &Descriptor) {
    remove(root, "w");
}

/// Operations on two directories, of which one may not be changed or is a file.
pub fn of_two() {
    let (root, ro, other) = (preopened("/"), preopened("/ro"), preopened("/other"));
    let file = ro.open_at(NONE, "file", OpenFlags::empty(), DescriptorFlags::READ).expect("it");
    let w = fresh(&root);
    write(&w, "second", b"2");
    line("link from / to /other", w.link_at(NONE, "file", &other, "linked"));
    line("link from /ro to /", ro.link_at(NONE, "file", &w, "linked"));
    line("link from / to /ro", w.link_at(NONE, "file", &ro, "linked"));
    line("link in /ro", ro.link_at(NONE, "file", &ro, "linked"));
    line("rename from / to /other", w.rename_at("second", &other, "renamed"));
    line("rename from /ro to /", ro.rename_at("file", &w, "renamed"));
    line("rename from / to /ro", w.rename_at("file", &ro, "renamed"));
    line("rename in /ro", ro.rename_at("file", &ro, "renamed"));
    line("rename onto itself", w.rename_at("file", &w, "file"));
    line("rename onto a directory that is not empty", w.rename_at("empty", &w, "dir"));
    line("mkdir in /ro", ro.create_directory_at("new"));
    line("rmdir in /ro", ro.remove_directory_at("dir"));
    line("unlink in /ro", ro.unlink_file_at("file"));
    line("unlink of nothing in /ro", ro.unlink_file_at("missing"));
    line("symlink in /ro", ro.symlink_at("file", "new"));
    let keep = NewTimestamp::NoChange;
    line("times in /ro", ro.set_times_at(NONE, "file", keep, keep));
    line("stat in /ro", Opaque(ro.stat_at(NONE, "file")));
    line("readlink in /ro", ro.readlink_at("to-file"));
    // A file is no directory to look anything up in.
    line("stat below a file", Opaque(file.stat_at(NONE, "x")));
    line("hash below a file", Opaque(file.metadata_hash_at(NONE, "x")));
    line("times below a file", file.set_times_at(NONE, "x", keep, keep));
    line(
        "open below a file",
        Opaque(file.open_at(NONE, "x", OpenFlags::CREATE, DescriptorFlags::READ)),
    );
    line("readlink below a file", file.readlink_at("x"));
    line("mkdir below a file", file.create_directory_at("x"));
    line("rmdir below a file", file.remove_directory_at("x"));
    line("unlink below a file", file.unlink_file_at("x"));
    line("symlink below a file", file.symlink_at("x", "y"));
    line("link below a file", file.link_at(NONE, "x", &w, "y"));
    line("link to below a file", w.link_at(NONE, "file", &file, "y"));
    line("rename below a file", file.rename_at("x", &w, "y"));
    line("rename to below a file", w.rename_at("file", &file, "y"));
    line("entries of a file", Opaque(file.read_directory()));
}

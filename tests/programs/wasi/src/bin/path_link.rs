//! `path_link`: hard links.

use wasi_programs::*;

fn link(old: &str, new: &str) -> Result<(), Errno> {
    path_link(ROOT, 0, old, ROOT, new)
}

fn main() {
    create("file", b"shared");
    ok(path_create_directory(ROOT, "a"));
    ok(link("file", "second"));
    ok(link("file", "a/third"));
    ok(path_link(open_directory("a"), 0, "third", ROOT, "fourth"));

    // One file with four names.
    let ino = ok(path_filestat_get(ROOT, 0, "file")).ino;
    for name in ["file", "second", "a/third", "fourth"] {
        let stat = ok(path_filestat_get(ROOT, 0, name));
        assert_eq!((stat.ino, stat.nlink), (ino, 4));
    }
    let fd = ok(open("second", 0, WRITE));
    write_all(fd, b"SHA");
    ok(path_unlink_file(ROOT, "file"));
    assert_eq!(contents("fourth"), b"SHAred");
    assert_eq!(ok(path_filestat_get(ROOT, 0, "fourth")).nlink, 3);

    // A symbolic link is linked itself, not what it points to, and wasmtime
    // cannot be asked for anything else.
    ok(path_symlink("second", ROOT, "soft"));
    ok(link("soft", "soft-2"));
    assert_eq!(filetype("soft-2"), Ok(FILETYPE_SYMBOLIC_LINK));
    fails(ERRNO_INVAL, path_link(ROOT, FOLLOW, "soft", ROOT, "x"));
    fails(ERRNO_INVAL, path_link(ROOT, FOLLOW, "second", ROOT, "x"));
    ok(path_symlink("nowhere", ROOT, "dangling"));
    ok(link("dangling", "dangling-2"));

    for taken in ["second", "a", "soft", "dangling"] {
        fails(ERRNO_EXIST, link("fourth", taken));
    }
    fails(ERRNO_EXIST, link("second", "second"));

    // Directories cannot be linked.
    fails(ERRNO_PERM, link("a", "x"));
    fails(ERRNO_PERM, link(".", "x"));

    fails(ERRNO_NOENT, link("missing", "x"));
    fails(ERRNO_NOENT, link("second", "missing/x"));
    fails(ERRNO_NOENT, link("", "x"));
    fails(ERRNO_NOENT, link("second", ""));
    fails(ERRNO_NOTDIR, link("second/below", "x"));
    fails(ERRNO_NOTDIR, link("second", "fourth/x"));
    assert_absent("x");

    fails(ERRNO_BADF, path_link(fd, 0, "second", ROOT, "x"));
    fails(ERRNO_BADF, path_link(ROOT, 0, "second", fd, "x"));
    fails(ERRNO_BADF, path_link(ROOT, 0, "second", FD_STDOUT, "x"));
}

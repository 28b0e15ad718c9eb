//! `path_rename`: to a new name, over what is there, and what cannot be.

use wasi_programs::*;

fn rename(old: &str, new: &str) -> Result<(), Errno> {
    path_rename(ROOT, old, ROOT, new)
}

fn main() {
    create("file", b"moved");
    ok(path_create_directory(ROOT, "a"));
    ok(path_create_directory(ROOT, "empty"));

    ok(rename("file", "a/file"));
    assert_absent("file");
    let a = open_directory("a");
    ok(path_rename(a, "file", ROOT, "back"));
    assert_eq!(contents("back"), b"moved");
    ok(path_rename(ROOT, "back", a, "file"));

    // An open descriptor follows the file.
    let fd = ok(open("a/file", 0, READ));
    ok(rename("a/file", "a/other"));
    assert_eq!(read_to_end(fd), b"moved");

    // Over a file, over itself, over an empty directory.
    create("old", b"old");
    ok(rename("a/other", "old"));
    assert_eq!(contents("old"), b"moved");
    ok(rename("old", "old"));
    ok(rename("a", "empty"));
    assert_absent("a");
    create("empty/file", b"");

    // A directory takes what is in it along.
    ok(rename("empty", "full"));
    assert_eq!(names(open_directory("full")), ["file"]);

    // A link is moved or replaced itself.
    ok(path_symlink("full", ROOT, "link"));
    ok(rename("link", "link-2"));
    assert_eq!(filetype("link-2"), Ok(FILETYPE_SYMBOLIC_LINK));
    ok(rename("old", "link-2"));
    assert_eq!(contents("link-2"), b"moved");
    assert_eq!(names(open_directory("full")), ["file"]);

    ok(path_create_directory(ROOT, "d"));
    fails(ERRNO_NOTEMPTY, rename("d", "full"));
    fails(ERRNO_NOTDIR, rename("d", "link-2"));
    fails(ERRNO_ISDIR, rename("link-2", "d"));
    // Into itself.
    fails(ERRNO_INVAL, rename("d", "d/below"));
    fails(ERRNO_BUSY, rename(".", "x"));
    fails(ERRNO_BUSY, rename("d", "."));

    fails(ERRNO_NOENT, rename("missing", "x"));
    fails(ERRNO_NOENT, rename("d", "missing/x"));
    fails(ERRNO_NOENT, rename("", "x"));
    fails(ERRNO_NOENT, rename("d", ""));
    fails(ERRNO_NOTDIR, rename("link-2/below", "x"));
    fails(ERRNO_NOTDIR, rename("d", "link-2/x"));
    assert_absent("x");

    fails(ERRNO_BADF, path_rename(fd, "d", ROOT, "x"));
    fails(ERRNO_BADF, path_rename(ROOT, "d", fd, "x"));
    fails(ERRNO_BADF, path_rename(ROOT, "d", FD_STDERR, "x"));
}

//! `path_create_directory`.

use wasi_programs::*;

fn main() {
    ok(path_create_directory(ROOT, "a"));
    assert_eq!(filetype("a"), Ok(FILETYPE_DIRECTORY));
    ok(path_create_directory(ROOT, "a/b"));
    ok(path_create_directory(open_directory("a"), "c"));
    assert_eq!(names(open_directory("a")), ["b", "c"]);

    create("file", b"");
    ok(path_symlink("a", ROOT, "to-directory"));
    ok(path_symlink("nowhere", ROOT, "dangling"));
    for taken in ["a", "a/b", "file", "to-directory", "dangling", "."] {
        fails(ERRNO_EXIST, path_create_directory(ROOT, taken));
    }
    assert_absent("nowhere");

    // Through a link is fine when it is not the last component.
    ok(path_create_directory(ROOT, "to-directory/d"));
    assert_eq!(names(open_directory("a")), ["b", "c", "d"]);

    fails(ERRNO_NOENT, path_create_directory(ROOT, "missing/below"));
    fails(ERRNO_NOENT, path_create_directory(ROOT, "dangling/below"));
    fails(ERRNO_NOENT, path_create_directory(ROOT, ""));
    fails(ERRNO_NOTDIR, path_create_directory(ROOT, "file/below"));

    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_create_directory(file, "x"));
    fails(ERRNO_BADF, path_create_directory(FD_STDOUT, "x"));
}

//! `path_symlink`.

use wasi_programs::*;

fn symlink(target: &str, path: &str) -> Result<(), Errno> {
    path_symlink(target, ROOT, path)
}

fn main() {
    create("file", b"found");
    ok(path_create_directory(ROOT, "a"));

    ok(symlink("file", "link"));
    assert_eq!(filetype("link"), Ok(FILETYPE_SYMBOLIC_LINK));
    assert_eq!(contents("link"), b"found");
    ok(symlink("../file", "a/link"));
    assert_eq!(contents("a/link"), b"found");
    ok(path_symlink("link", open_directory("a"), "link-2"));
    assert_eq!(contents("a/link-2"), b"found");

    // The target need not be there.
    ok(symlink("nowhere", "dangling"));

    for taken in ["file", "a", "link", "dangling", "."] {
        fails(ERRNO_EXIST, symlink("file", taken));
    }
    fails(ERRNO_NOENT, symlink("", "x"));
    fails(ERRNO_NOENT, symlink("file", ""));
    fails(ERRNO_NOENT, symlink("file", "missing/x"));
    fails(ERRNO_NOTDIR, symlink("file", "file/x"));
    assert_absent("x");

    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_symlink("file", file, "x"));
    fails(ERRNO_BADF, path_symlink("file", FD_STDIN, "x"));
}

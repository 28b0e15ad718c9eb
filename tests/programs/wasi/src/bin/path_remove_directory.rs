//! `path_remove_directory`.

use wasi_programs::*;

fn main() {
    ok(path_create_directory(ROOT, "a"));
    ok(path_create_directory(ROOT, "a/b"));
    create("a/file", b"");
    ok(path_symlink("a/b", ROOT, "to-directory"));

    fails(ERRNO_NOTEMPTY, path_remove_directory(ROOT, "a"));
    fails(ERRNO_NOTDIR, path_remove_directory(ROOT, "a/file"));
    fails(ERRNO_NOTDIR, path_remove_directory(ROOT, "to-directory"));
    fails(ERRNO_NOENT, path_remove_directory(ROOT, "missing"));
    fails(ERRNO_NOENT, path_remove_directory(ROOT, ""));
    fails(ERRNO_NOTDIR, path_remove_directory(ROOT, "a/file/below"));

    // No removing what one stands in, nor the preopen itself.
    fails(ERRNO_INVAL, path_remove_directory(ROOT, "."));
    fails(ERRNO_INVAL, path_remove_directory(open_directory("a/b"), "."));
    // wasmtime makes this `a/b/../.`, which is why it is not NOTEMPTY.
    fails(ERRNO_INVAL, path_remove_directory(ROOT, "a/b/.."));

    ok(path_remove_directory(ROOT, "a/b"));
    assert_absent("a/b");
    ok(path_unlink_file(ROOT, "a/file"));
    ok(path_remove_directory(ROOT, "a"));
    assert_absent("a");

    create("file", b"");
    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_remove_directory(file, "x"));
}

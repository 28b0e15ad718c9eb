//! `path_unlink_file`.

use wasi_programs::*;

fn main() {
    create("file", b"");
    create("kept", b"kept");
    ok(path_create_directory(ROOT, "a"));
    create("a/file", b"");
    ok(path_symlink("kept", ROOT, "link"));
    ok(path_symlink("a", ROOT, "to-directory"));
    ok(path_symlink("nowhere", ROOT, "dangling"));

    fails(ERRNO_ISDIR, path_unlink_file(ROOT, "a"));
    fails(ERRNO_ISDIR, path_unlink_file(ROOT, "."));
    fails(ERRNO_NOENT, path_unlink_file(ROOT, "missing"));
    fails(ERRNO_NOENT, path_unlink_file(ROOT, ""));
    fails(ERRNO_NOTDIR, path_unlink_file(ROOT, "file/below"));

    ok(path_unlink_file(ROOT, "file"));
    fails(ERRNO_NOENT, path_unlink_file(ROOT, "file"));
    // Through a link on the way, but never through the last one.
    ok(path_unlink_file(ROOT, "to-directory/file"));
    assert_absent("a/file");
    for link in ["link", "to-directory", "dangling"] {
        ok(path_unlink_file(ROOT, link));
        assert_absent(link);
    }
    assert_eq!(names(ROOT), ["a", "kept"]);
    assert_eq!(contents("kept"), b"kept");

    let kept = ok(open("kept", 0, READ));
    fails(ERRNO_BADF, path_unlink_file(kept, "x"));
    fails(ERRNO_BADF, path_unlink_file(FD_STDOUT, "kept"));
}

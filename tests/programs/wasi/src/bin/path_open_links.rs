//! `path_open` on symbolic links that stay inside.

use wasi_programs::*;

fn open_nofollow(path: &str, oflags: Oflags) -> Result<Fd, Errno> {
    path_open(ROOT, 0, path, oflags, READ, 0, 0)
}

fn main() {
    ok(path_create_directory(ROOT, "a"));
    create("a/file", b"found");
    ok(path_symlink("a/file", ROOT, "to-file"));
    ok(path_symlink("a", ROOT, "to-directory"));
    ok(path_symlink("../a/./file", ROOT, "a/up-and-down"));
    ok(path_symlink("nowhere", ROOT, "dangling"));
    ok(path_symlink("loop-2", ROOT, "loop-1"));
    ok(path_symlink("loop-1", ROOT, "loop-2"));

    for path in ["to-file", "to-directory/file", "a/up-and-down"] {
        assert_eq!(contents(path), b"found");
    }
    assert_eq!(names(open_directory("to-directory")), ["file", "up-and-down"]);

    // The last component is not followed when not asked to.
    fails(ERRNO_LOOP, open_nofollow("to-file", 0));
    fails(ERRNO_LOOP, open_nofollow("dangling", 0));
    fails(ERRNO_LOOP, open_nofollow("to-directory", OFLAGS_DIRECTORY));
    // The others are.
    ok(open_nofollow("to-directory/file", 0));

    fails(ERRNO_NOENT, open("dangling", 0, READ));
    fails(ERRNO_LOOP, open("loop-1", 0, READ));
    fails(ERRNO_LOOP, open("loop-1/below", 0, READ));
    fails(ERRNO_NOTDIR, open("to-file/below", 0, READ));

    // Creating goes through a link to where it points, unless exclusively.
    let exclusive = OFLAGS_CREAT | OFLAGS_EXCL;
    fails(ERRNO_EXIST, open("dangling", exclusive, WRITE));
    assert_absent("nowhere");
    ok(open("dangling", OFLAGS_CREAT, WRITE));
    assert_eq!(filetype("nowhere"), Ok(FILETYPE_REGULAR_FILE));
    assert_eq!(filetype("dangling"), Ok(FILETYPE_SYMBOLIC_LINK));
    fails(ERRNO_EXIST, open("to-file", exclusive, WRITE));
    fails(ERRNO_LOOP, open("loop-1", OFLAGS_CREAT, WRITE));
}

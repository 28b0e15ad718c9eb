//! A slash at the end asks for a directory.

use wasi_programs::*;

fn main() {
    create("file", b"");
    ok(path_create_directory(ROOT, "a"));
    ok(path_symlink("a", ROOT, "to-directory"));
    ok(path_symlink("file", ROOT, "to-file"));

    for path in ["a/", "a//", "a/.", "to-directory/", "a//./"] {
        ok(open(path, 0, READ).and_then(fd_close));
        ok(open(path, OFLAGS_DIRECTORY, READ).and_then(fd_close));
        let stat = ok(path_filestat_get(ROOT, FOLLOW, path));
        assert_eq!(stat.filetype, FILETYPE_DIRECTORY);
    }
    // Without following, too: what is behind the slash is the last component.
    assert_eq!(filetype("to-directory/"), Ok(FILETYPE_DIRECTORY));
    assert_eq!(filetype("file/"), Err(ERRNO_NOTDIR));
    // Even without following: it is no longer the last component.
    ok(path_open(ROOT, 0, "to-directory/", OFLAGS_DIRECTORY, READ, 0, 0));

    for path in ["file/", "to-file/", "file/.", "file/.."] {
        fails(ERRNO_NOTDIR, open(path, 0, READ));
        fails(ERRNO_NOTDIR, path_filestat_get(ROOT, FOLLOW, path));
        fails(ERRNO_NOTDIR, path_unlink_file(ROOT, path));
        fails(ERRNO_NOTDIR, path_remove_directory(ROOT, path));
    }
    assert_eq!(filetype("file"), Ok(FILETYPE_REGULAR_FILE));

    // No file is created as a directory.
    let either = [ERRNO_ISDIR, ERRNO_INVAL];
    fails_either(either, open("new/", OFLAGS_CREAT, WRITE));
    fails(ERRNO_NOENT, path_filestat_get(ROOT, FOLLOW, "new/"));
    fails(ERRNO_NOENT, path_symlink("a", ROOT, "new/"));
    fails(ERRNO_NOENT, path_link(ROOT, 0, "file", ROOT, "new/"));
    fails(ERRNO_NOTDIR, path_link(ROOT, 0, "file/", ROOT, "new"));
    fails(ERRNO_NOTDIR, path_rename(ROOT, "file", ROOT, "new/"));
    fails(ERRNO_NOTDIR, path_rename(ROOT, "file/", ROOT, "new"));
    assert_absent("new");

    // A directory may be created, moved and removed with one.
    ok(path_create_directory(ROOT, "b/"));
    ok(path_rename(ROOT, "b/", ROOT, "c/"));
    assert_eq!(filetype("c"), Ok(FILETYPE_DIRECTORY));
    fails(ERRNO_EXIST, path_create_directory(ROOT, "c/"));
    // wasmtime resolves the slash to `c/.`, which `rmdir` does not take.
    fails(ERRNO_INVAL, path_remove_directory(ROOT, "c/"));
    ok(path_remove_directory(ROOT, "c"));

    fails(ERRNO_ISDIR, path_unlink_file(ROOT, "a/"));
    fails(ERRNO_INVAL, path_readlink(ROOT, "to-directory/", &mut [0; 8]));
}

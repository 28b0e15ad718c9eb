//! `path_open`: every set of `oflags`, on every kind of thing.

use wasi_programs::*;

const CREAT: Oflags = OFLAGS_CREAT;
const DIRECTORY: Oflags = OFLAGS_DIRECTORY;
const EXCL: Oflags = OFLAGS_EXCL;
const TRUNC: Oflags = OFLAGS_TRUNC;

/// Opens and closes, so that only the result is left.
fn try_open(path: &str, oflags: Oflags, rights: Rights) -> Result<(), Errno> {
    open(path, oflags, rights).and_then(fd_close)
}

fn main() {
    create("file", b"12345");
    ok(path_create_directory(ROOT, "directory"));

    // A file that is there.
    ok(try_open("file", 0, READ));
    ok(try_open("file", CREAT, READ | WRITE));
    fails(ERRNO_EXIST, try_open("file", CREAT | EXCL, READ | WRITE));
    fails(ERRNO_NOTDIR, try_open("file", DIRECTORY, READ));
    assert_eq!(contents("file"), b"12345");

    // Exclusive means something along with create only.
    ok(try_open("file", EXCL, READ));

    ok(try_open("file", TRUNC, WRITE));
    assert_eq!(contents("file"), b"");
    // Truncating needs no right to write.
    let fd = ok(open("file", 0, WRITE));
    write_all(fd, b"12345");
    ok(try_open("file", TRUNC, READ));
    assert_eq!(contents("file"), b"");
    write_all(fd, b"6");
    assert_eq!(contents("file"), b"\0\0\0\0\x006");
    ok(try_open("file", CREAT | TRUNC, READ | WRITE));
    assert_eq!(contents("file"), b"");

    // A file that is not there.
    for oflags in [0, EXCL, TRUNC, DIRECTORY] {
        fails(ERRNO_NOENT, try_open("new", oflags, READ | WRITE));
    }
    for oflags in [CREAT, CREAT | EXCL, CREAT | TRUNC, CREAT | EXCL | TRUNC] {
        for rights in [0, READ, WRITE, READ | WRITE] {
            ok(try_open("new", oflags, rights));
            assert_eq!(contents("new"), b"");
            ok(path_unlink_file(ROOT, "new"));
        }
    }

    // A directory.
    ok(try_open("directory", DIRECTORY, READ));
    ok(try_open("directory", 0, READ));
    ok(try_open("directory", 0, 0));
    fails(ERRNO_ISDIR, try_open("directory", 0, WRITE));
    fails(ERRNO_ISDIR, try_open("directory", DIRECTORY, READ | WRITE));
    fails(ERRNO_ISDIR, try_open("directory", CREAT, READ | WRITE));
    fails(ERRNO_ISDIR, try_open("directory", TRUNC, WRITE));
    fails(ERRNO_EXIST, try_open("directory", CREAT | EXCL, WRITE));

    // Directories come from `path_create_directory` alone.
    for oflags in [CREAT, EXCL, TRUNC, CREAT | EXCL, CREAT | TRUNC] {
        for path in ["new", "file", "directory"] {
            fails(ERRNO_INVAL, try_open(path, oflags | DIRECTORY, READ));
        }
    }
    assert_absent("new");

    // Syncing is not offered.
    for fdflags in [FDFLAGS_SYNC, FDFLAGS_DSYNC, FDFLAGS_RSYNC] {
        fails(ERRNO_NOTSUP, path_open(ROOT, 0, "file", 0, READ, 0, fdflags));
        // Not even with a file to be created.
        fails(ERRNO_NOTSUP, path_open(ROOT, 0, "new", CREAT, WRITE, 0, fdflags));
    }
    assert_absent("new");
}

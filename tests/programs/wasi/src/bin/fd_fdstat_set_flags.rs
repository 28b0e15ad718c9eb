//! `fd_fdstat_set_flags`: append mode can be switched, syncing cannot.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123");

    // Appending moves the offset to the new end.
    ok(fd_fdstat_set_flags(fd, FDFLAGS_APPEND));
    assert_eq!(ok(fd_fdstat_get(fd)).fs_flags, FDFLAGS_APPEND);
    assert_eq!(ok(fd_write(fd, &[b"45"])), 2);
    assert_eq!(ok(fd_tell(fd)), 6);

    // Each call sets all of the flags: append is off again here.
    ok(fd_fdstat_set_flags(fd, FDFLAGS_NONBLOCK));
    assert_eq!(ok(fd_fdstat_get(fd)).fs_flags, FDFLAGS_NONBLOCK);
    ok(fd_seek(fd, 0, WHENCE_SET));
    assert_eq!(ok(fd_write(fd, &[b"ab"])), 2);
    assert_eq!(contents("file"), b"ab2345");

    ok(fd_fdstat_set_flags(fd, 0));
    assert_eq!(ok(fd_fdstat_get(fd)).fs_flags, 0);

    for sync in [FDFLAGS_SYNC, FDFLAGS_DSYNC, FDFLAGS_RSYNC] {
        fails(ERRNO_INVAL, fd_fdstat_set_flags(fd, sync));
        fails(ERRNO_INVAL, fd_fdstat_set_flags(fd, sync | FDFLAGS_APPEND));
    }
    assert_eq!(ok(fd_fdstat_get(fd)).fs_flags, 0);

    // wasmtime keeps flags for files only.
    fails(ERRNO_BADF, fd_fdstat_set_flags(ROOT, 0));
    fails(ERRNO_BADF, fd_fdstat_set_flags(FD_STDIN, FDFLAGS_NONBLOCK));
}

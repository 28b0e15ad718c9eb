//! `fd_allocate`: dropped from later versions of WASI, and so by wasmtime.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"four");
    fails(ERRNO_NOTSUP, fd_allocate(fd, 0, 100));
    assert_eq!(ok(fd_filestat_get(fd)).size, 4);

    // The descriptor is looked at first.
    fails(ERRNO_BADF, fd_allocate(ROOT, 0, 100));
    fails(ERRNO_BADF, fd_allocate(FD_STDOUT, 0, 100));
    fails(ERRNO_BADF, fd_allocate(NO_SUCH_FD, 0, 100));
}

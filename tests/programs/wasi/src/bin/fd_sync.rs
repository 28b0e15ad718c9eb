//! `fd_sync` and `fd_datasync`.

use wasi_programs::*;

fn main() {
    create("file", b"");
    for rights in [READ, WRITE, READ | WRITE] {
        let fd = ok(open("file", 0, rights));
        ok(fd_sync(fd));
        ok(fd_datasync(fd));
        ok(fd_close(fd));
    }

    // wasmtime syncs files only, and calls a directory a bad descriptor.
    fails(ERRNO_BADF, fd_sync(ROOT));
    fails(ERRNO_BADF, fd_datasync(ROOT));
    fails(ERRNO_BADF, fd_sync(FD_STDOUT));
    fails(ERRNO_BADF, fd_datasync(FD_STDOUT));
}

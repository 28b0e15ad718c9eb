//! `fd_seek` and `fd_tell`.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");
    assert_eq!(ok(fd_tell(fd)), 0);

    assert_eq!(ok(fd_seek(fd, 4, WHENCE_SET)), 4);
    assert_eq!(ok(fd_seek(fd, 0, WHENCE_CUR)), 4);
    assert_eq!(ok(fd_seek(fd, 3, WHENCE_CUR)), 7);
    assert_eq!(ok(fd_seek(fd, -2, WHENCE_CUR)), 5);
    assert_eq!(ok(fd_seek(fd, -1, WHENCE_END)), 9);
    assert_eq!(ok(fd_seek(fd, 5, WHENCE_END)), 15);
    assert_eq!(ok(fd_tell(fd)), 15);
    assert_eq!(ok(fd_filestat_get(fd)).size, 10);

    // Before the start; the offset stays.
    fails(ERRNO_INVAL, fd_seek(fd, -1, WHENCE_SET));
    fails(ERRNO_INVAL, fd_seek(fd, -16, WHENCE_CUR));
    fails(ERRNO_INVAL, fd_seek(fd, -11, WHENCE_END));
    fails(ERRNO_INVAL, fd_seek(fd, i64::MIN, WHENCE_CUR));
    assert_eq!(ok(fd_tell(fd)), 15);

    // wasmtime keeps the offset itself, so there is no largest one to pass.
    assert_eq!(ok(fd_seek(fd, i64::MAX, WHENCE_SET)), i64::MAX as u64);
    assert_eq!(ok(fd_seek(fd, 1, WHENCE_CUR)), 1 << 63);
    // ... until the host has to use it.
    fails(ERRNO_INVAL, fd_read(fd, &mut [&mut [0; 1]]));
    fails(ERRNO_INVAL, fd_write(fd, &[b"no"]));
    ok(fd_seek(fd, i64::MAX, WHENCE_CUR));
    fails(ERRNO_INVAL, fd_seek(fd, i64::MAX, WHENCE_CUR));

    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        fails(ERRNO_SPIPE, fd_seek(fd, 0, WHENCE_CUR));
        fails(ERRNO_SPIPE, fd_tell(fd));
    }
    fails(ERRNO_BADF, fd_seek(ROOT, 0, WHENCE_CUR));
    fails(ERRNO_BADF, fd_tell(ROOT));
}

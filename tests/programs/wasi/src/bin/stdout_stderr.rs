//! The two outputs: each gets its own bytes, in order, and any bytes at all.

use wasi_programs::*;

fn main() {
    assert_eq!(ok(fd_write(FD_STDOUT, &[b"out 1\n"])), 6);
    assert_eq!(ok(fd_write(FD_STDERR, &[b"err 1\n"])), 6);
    assert_eq!(ok(fd_write(FD_STDOUT, &[b"out 2\n"])), 6);
    assert_eq!(ok(fd_write(FD_STDERR, &[b"err 2\n"])), 6);

    // Not text, and not ended by a newline.
    assert_eq!(ok(fd_write(FD_STDOUT, &[b"\0\xff\xfe\r\n\0"])), 6);

    assert_eq!(ok(fd_write(FD_STDOUT, &[b""])), 0);
    assert_eq!(ok(fd_write(FD_STDOUT, &[])), 0);

    for fd in [FD_STDOUT, FD_STDERR] {
        fails(ERRNO_BADF, fd_read(fd, &mut [&mut [0; 1]]));
        fails(ERRNO_SPIPE, fd_pwrite(fd, &[b"no"], 0));
        ok(fd_close(fd));
        fails(ERRNO_BADF, fd_write(fd, &[b"no"]));
    }
}

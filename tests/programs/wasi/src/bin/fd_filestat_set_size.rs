//! `fd_filestat_set_size`: growing, shrinking, and what cannot be resized.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");

    ok(fd_seek(fd, 8, WHENCE_SET));
    ok(fd_filestat_set_size(fd, 4));
    // The offset stays where it was, now past the end.
    assert_eq!(ok(fd_tell(fd)), 8);
    assert_eq!(ok(fd_read(fd, &mut [&mut [0; 4]])), 0);
    assert_eq!(contents("file"), b"0123");

    // What was cut off does not come back.
    ok(fd_filestat_set_size(fd, 8));
    assert_eq!(contents("file"), b"0123\0\0\0\0");

    ok(fd_filestat_set_size(fd, 0));
    assert_eq!(contents("file"), b"");

    // Sizes are signed on the host.
    fails(ERRNO_INVAL, fd_filestat_set_size(fd, u64::MAX));
    assert_eq!(ok(fd_filestat_get(fd)).size, 0);

    // `ftruncate` says INVAL of a file not open for writing.
    let read_only = ok(open("file", 0, READ));
    fails(ERRNO_INVAL, fd_filestat_set_size(read_only, 1));

    fails(ERRNO_BADF, fd_filestat_set_size(ROOT, 0));
    fails(ERRNO_BADF, fd_filestat_set_size(FD_STDOUT, 0));
}

//! `fd_write`: the offset moves, the file grows, gaps are zeros.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");

    assert_eq!(ok(fd_write(fd, &[b"ab"])), 2);
    assert_eq!(ok(fd_tell(fd)), 2);
    assert_eq!(ok(fd_write(fd, &[b"cd"])), 2);
    assert_eq!(contents("file"), b"abcd456789");

    ok(fd_seek(fd, 9, WHENCE_SET));
    assert_eq!(ok(fd_write(fd, &[b"xyz"])), 3);
    assert_eq!(contents("file"), b"abcd45678xyz");

    ok(fd_seek(fd, 14, WHENCE_SET));
    assert_eq!(ok(fd_write(fd, &[b"!"])), 1);
    assert_eq!(contents("file"), b"abcd45678xyz\0\0!");

    // Nothing to write: no gap is made, either.
    ok(fd_seek(fd, 100, WHENCE_SET));
    assert_eq!(ok(fd_write(fd, &[b""])), 0);
    assert_eq!(ok(fd_write(fd, &[])), 0);
    assert_eq!(ok(fd_filestat_get(fd)).size, 15);

    let read_only = ok(open("file", 0, READ));
    fails(ERRNO_BADF, fd_write(read_only, &[b"no"]));
    fails(ERRNO_BADF, fd_write(ROOT, &[b"no"]));
    fails(ERRNO_BADF, fd_write(FD_STDIN, &[b"no"]));
}

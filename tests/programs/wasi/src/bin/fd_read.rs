//! `fd_read`: the offset moves, the end reads as nothing.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");
    let mut buffer = [b'.'; 6];

    assert_eq!(ok(fd_read(fd, &mut [&mut buffer[..4]])), 4);
    assert_eq!(&buffer, b"0123..");
    assert_eq!(ok(fd_tell(fd)), 4);

    assert_eq!(ok(fd_read(fd, &mut [&mut buffer])), 6);
    assert_eq!(&buffer, b"456789");
    assert_eq!(ok(fd_read(fd, &mut [&mut buffer])), 0);
    assert_eq!(ok(fd_tell(fd)), 10);
    assert_eq!(&buffer, b"456789");

    // A read across the end is short, one past it is empty.
    ok(fd_seek(fd, 8, WHENCE_SET));
    assert_eq!(ok(fd_read(fd, &mut [&mut buffer])), 2);
    assert_eq!(&buffer, b"896789");
    ok(fd_seek(fd, 1_000, WHENCE_SET));
    assert_eq!(ok(fd_read(fd, &mut [&mut buffer])), 0);

    // Two descriptors of one file have an offset each.
    let other = ok(open("file", 0, READ));
    assert_eq!(ok(fd_read(other, &mut [&mut buffer[..2]])), 2);
    assert_eq!(&buffer[..2], b"01");
    assert_eq!(ok(fd_tell(fd)), 1_000);

    let write_only = ok(open("file", 0, WRITE));
    fails(ERRNO_BADF, fd_read(write_only, &mut [&mut buffer]));
    fails(ERRNO_BADF, fd_read(ROOT, &mut [&mut buffer]));
    fails(ERRNO_BADF, fd_read(FD_STDOUT, &mut [&mut buffer]));
}

//! `fd_pread`: reads anywhere and leaves the offset alone.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");
    ok(fd_seek(fd, 3, WHENCE_SET));

    let mut buffer = [b'.'; 4];
    assert_eq!(ok(fd_pread(fd, &mut [&mut buffer], 5)), 4);
    assert_eq!(&buffer, b"5678");
    assert_eq!(ok(fd_pread(fd, &mut [&mut buffer], 8)), 2);
    assert_eq!(&buffer, b"8978");
    assert_eq!(ok(fd_pread(fd, &mut [&mut buffer], 10)), 0);
    assert_eq!(ok(fd_pread(fd, &mut [&mut buffer], 1 << 40)), 0);
    assert_eq!(ok(fd_pread(fd, &mut [&mut []], 0)), 0);
    assert_eq!(ok(fd_pread(fd, &mut [], 0)), 0);
    assert_eq!(ok(fd_tell(fd)), 3);

    // Offsets are signed on the host.
    fails(ERRNO_INVAL, fd_pread(fd, &mut [&mut buffer], u64::MAX));

    let write_only = ok(open("file", 0, WRITE));
    fails(ERRNO_BADF, fd_pread(write_only, &mut [&mut buffer], 0));
    fails(ERRNO_BADF, fd_pread(ROOT, &mut [&mut buffer], 0));
    fails(ERRNO_SPIPE, fd_pread(FD_STDIN, &mut [&mut buffer], 0));
    // wasmtime knows that output has no offset only when it is written.
    fails(ERRNO_BADF, fd_pread(FD_STDOUT, &mut [&mut buffer], 0));
}

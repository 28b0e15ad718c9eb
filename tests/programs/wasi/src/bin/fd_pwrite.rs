//! `fd_pwrite`: writes anywhere and leaves the offset alone.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");
    ok(fd_seek(fd, 3, WHENCE_SET));

    assert_eq!(ok(fd_pwrite(fd, &[b"ab"], 5)), 2);
    assert_eq!(contents("file"), b"01234ab789");
    assert_eq!(ok(fd_pwrite(fd, &[b"cd"], 11)), 2);
    assert_eq!(contents("file"), b"01234ab789\0cd");
    assert_eq!(ok(fd_tell(fd)), 3);

    // Offsets are signed on the host.
    fails(ERRNO_INVAL, fd_pwrite(fd, &[b"no"], u64::MAX));

    let read_only = ok(open("file", 0, READ));
    fails(ERRNO_BADF, fd_pwrite(read_only, &[b"no"], 0));
    fails(ERRNO_BADF, fd_pwrite(ROOT, &[b"no"], 0));
    fails(ERRNO_SPIPE, fd_pwrite(FD_STDOUT, &[b"no"], 0));
    fails(ERRNO_SPIPE, fd_pwrite(FD_STDERR, &[b"no"], 0));
    // wasmtime knows that input has no offset only when it is read.
    fails(ERRNO_BADF, fd_pwrite(FD_STDIN, &[b"no"], 0));
}

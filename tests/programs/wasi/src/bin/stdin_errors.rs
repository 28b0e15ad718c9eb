//! What standard input cannot do, and reading it once it is closed.
//! It holds at least two bytes.

use wasi_programs::*;

fn main() {
    let mut buffer = [0; 1];
    assert_eq!(ok(fd_read(FD_STDIN, &mut [&mut buffer])), 1);

    assert_eq!(ok(fd_read(FD_STDIN, &mut [&mut []])), 0);
    assert_eq!(ok(fd_read(FD_STDIN, &mut [])), 0);

    fails(ERRNO_BADF, fd_write(FD_STDIN, &[b"no"]));
    fails(ERRNO_SPIPE, fd_pread(FD_STDIN, &mut [&mut buffer], 0));
    fails(ERRNO_SPIPE, fd_seek(FD_STDIN, 0, WHENCE_SET));

    // None of that took a byte.
    assert_eq!(ok(fd_read(FD_STDIN, &mut [&mut buffer])), 1);

    ok(fd_close(FD_STDIN));
    fails(ERRNO_BADF, fd_read(FD_STDIN, &mut [&mut buffer]));
    fails(ERRNO_BADF, fd_fdstat_get(FD_STDIN));
    fails(ERRNO_BADF, fd_close(FD_STDIN));

    // The freed number goes to the next file.
    create("file", b"from a file");
    assert_eq!(ok(open("file", 0, READ)), FD_STDIN);
    assert_eq!(std::io::read_to_string(std::io::stdin()).unwrap(), "from a file");
}

//! `fd_advise`: every advice is taken and changes nothing one can read back.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"0123456789");
    for advice in [
        ADVICE_NORMAL,
        ADVICE_SEQUENTIAL,
        ADVICE_RANDOM,
        ADVICE_WILLNEED,
        ADVICE_DONTNEED,
        ADVICE_NOREUSE,
    ] {
        ok(fd_advise(fd, 0, 10, advice));
        // Zero means up to the end; a range past the end is no error.
        ok(fd_advise(fd, 0, 0, advice));
        ok(fd_advise(fd, 1_000, 1_000, advice));
    }
    assert_eq!(read_to_end(fd), b"0123456789");

    // The length is a signed number on the host.
    fails(ERRNO_INVAL, fd_advise(fd, 0, u64::MAX, ADVICE_NORMAL));

    fails(ERRNO_BADF, fd_advise(ROOT, 0, 0, ADVICE_NORMAL));
    fails(ERRNO_BADF, fd_advise(FD_STDIN, 0, 0, ADVICE_NORMAL));
}

//! Pointers out of bounds that a call has no use for: no trap, just a result.

use wasi_programs::wasi_snapshot_preview1::*;
use wasi_programs::{
    ERRNO_BADF, ERRNO_NOENT, ERRNO_NOTSOCK, ERRNO_SUCCESS, ROOT, create_open, fails_raw,
};

const OUTSIDE: i32 = 0x7fff_0000;
const NO_SUCH_FD: i32 = 9_999;

fn main() {
    let fd = create_open("file", b"") as i32;
    let root = ROOT as i32;
    let mut result = 0_u64;
    let out = &raw mut result as i32;
    let (missing, length) = ("missing".as_ptr() as i32, 7);
    let mut empty_iovec = [OUTSIDE, 0];
    let empty_iovec = empty_iovec.as_mut_ptr() as i32;

    // SAFETY: None of the bad pointers is used.
    unsafe {
        // There is no result when there is an error.
        fails_raw(ERRNO_BADF, fd_fdstat_get(NO_SUCH_FD, OUTSIDE));
        fails_raw(ERRNO_BADF, fd_tell(NO_SUCH_FD, OUTSIDE));
        fails_raw(ERRNO_BADF, fd_prestat_get(NO_SUCH_FD, OUTSIDE));
        fails_raw(ERRNO_NOENT, path_open(root, 0, missing, length, 0, 2, 0, 0, OUTSIDE));
        fails_raw(ERRNO_NOENT, path_filestat_get(root, 0, missing, length, OUTSIDE));
        fails_raw(ERRNO_NOENT, path_readlink(root, missing, length, OUTSIDE, 8, out));

        // The descriptor is looked at before a path is read, and the file is
        // opened before the buffer for its contents is.
        fails_raw(ERRNO_BADF, path_unlink_file(NO_SUCH_FD, OUTSIDE, 4));
        fails_raw(ERRNO_BADF, fd_readdir(NO_SUCH_FD, OUTSIDE, 64, 0, out));

        // Sockets get as far as their descriptor.
        fails_raw(ERRNO_NOTSOCK, sock_accept(fd, 0, OUTSIDE));
        fails_raw(ERRNO_NOTSOCK, sock_recv(fd, OUTSIDE, 1, 0, OUTSIDE, OUTSIDE));
        fails_raw(ERRNO_NOTSOCK, sock_send(fd, OUTSIDE, 1, 0, OUTSIDE));

        // An empty buffer may be anywhere.
        fails_raw(ERRNO_SUCCESS, fd_read(fd, empty_iovec, 1, out));
        fails_raw(ERRNO_SUCCESS, fd_write(fd, empty_iovec, 1, out));
    }
}

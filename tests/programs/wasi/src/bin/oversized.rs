//! More than the host would copy for one call: NOMEM, before any of it is
//! looked at.
//!
//! wasmtime gives a call 128 MiB unless told otherwise. The lengths here are
//! far above that and far above what memory the program has.

use wasi_programs::wasi_snapshot_preview1::*;
use wasi_programs::{ERRNO_NOMEM, READ, ROOT, create_open, fails_raw};

const HUGE: i32 = 0x4000_0000;

fn main() {
    let fd = create_open("file", b"12345") as i32;
    let root = ROOT as i32;
    let mut result = [0_u64; 8];
    let out = result.as_mut_ptr() as i32;
    let mut iovec = [out, HUGE];
    let iovec = iovec.as_mut_ptr() as i32;
    let path = "file".as_ptr() as i32;

    // SAFETY: The host does not get to use the pointers.
    unsafe {
        fails_raw(ERRNO_NOMEM, fd_read(fd, iovec, 1, out));
        fails_raw(ERRNO_NOMEM, fd_write(fd, iovec, 1, out));
        fails_raw(ERRNO_NOMEM, fd_pread(fd, iovec, 1, 0, out));
        fails_raw(ERRNO_NOMEM, fd_pwrite(fd, iovec, 1, 0, out));
        // As many buffers as that, too.
        fails_raw(ERRNO_NOMEM, fd_read(fd, out, HUGE, out));
        fails_raw(ERRNO_NOMEM, fd_write(fd, out, HUGE, out));

        let read = READ as i64;
        fails_raw(ERRNO_NOMEM, path_open(root, 0, path, HUGE, 0, read, 0, 0, out));
        fails_raw(ERRNO_NOMEM, path_create_directory(root, path, HUGE));
        fails_raw(ERRNO_NOMEM, path_filestat_get(root, 0, path, HUGE, out));
        fails_raw(ERRNO_NOMEM, poll_oneoff(out, out, HUGE, out));
    }
}

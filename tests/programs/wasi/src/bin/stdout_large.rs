//! A megabyte to standard output in a single call.

use wasi_programs::*;

fn main() {
    let bytes = b"0123456789abcdef".repeat(64 * 1024);
    assert_eq!(ok(fd_write(FD_STDOUT, &[&bytes])), bytes.len());
}

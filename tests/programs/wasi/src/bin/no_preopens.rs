//! Without a preopen there is no way to any file.

use wasi_programs::*;

fn main() {
    for fd in 3..20 {
        fails(ERRNO_BADF, fd_prestat_get(fd));
        fails(ERRNO_BADF, open_at(fd, "file", 0, READ));
    }
    // Nor by way of a standard stream.
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        fails(ERRNO_BADF, open_at(fd, "file", 0, READ));
        fails(ERRNO_BADF, open_at(fd, "/", OFLAGS_DIRECTORY, READ));
    }
    assert!(std::fs::metadata("/").is_err());
}

//! One directory preopened twice, read-only and writable: each descriptor
//! has its own say, and both see the same files.

use wasi_programs::*;

const RO: Fd = ROOT;
const RW: Fd = ROOT + 1;

fn main() {
    fails(ERRNO_PERM, open_at(RO, "file", OFLAGS_CREAT, WRITE));
    let writer = ok(open_at(RW, "file", OFLAGS_CREAT, WRITE));
    let reader = ok(open_at(RO, "file", 0, READ));
    write_all(writer, b"written");
    assert_eq!(read_to_end(reader), b"written");
    assert_eq!(ok(fd_filestat_get(RO)).ino, ok(fd_filestat_get(RW)).ino);

    fails(ERRNO_PERM, path_rename(RO, "file", RW, "file-2"));
    fails(ERRNO_PERM, path_rename(RW, "file", RO, "file-2"));
    ok(path_rename(RW, "file", RW, "file-2"));
    assert_eq!(names(RO), ["file-2"]);
}

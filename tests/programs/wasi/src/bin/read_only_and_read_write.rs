//! A read-only preopen beside a writable one.

use wasi_programs::*;

const RO: Fd = ROOT;
const RW: Fd = ROOT + 1;

fn main() {
    let fd = ok(open_at(RW, "mine", OFLAGS_CREAT, WRITE));
    write_all(fd, b"mine");

    // Nothing goes in, and nothing can be taken away.
    fails(ERRNO_PERM, path_rename(RW, "mine", RO, "planted"));
    fails(ERRNO_PERM, path_rename(RO, "file", RW, "stolen"));
    fails(ERRNO_PERM, path_link(RW, 0, "mine", RO, "planted"));
    // Not a link out either: through it the file could be written.
    fails(ERRNO_PERM, path_link(RO, 0, "file", RW, "stolen"));
    ok(path_symlink("../ro/file", RW, "link"));
    fails(ERRNO_PERM, open_at(RW, "link", 0, WRITE));
    assert_eq!(names(RO), ["file"]);
    assert_eq!(names(RW), ["link", "mine"]);

    // A descriptor keeps to its preopen, whatever number it has.
    let reader = ok(open_at(RO, "file", 0, READ));
    ok(fd_renumber(reader, fd));
    fails(ERRNO_BADF, fd_write(fd, &[b"no"]));
    fails(ERRNO_PERM, fd_filestat_set_size(fd, 0));
    ok(fd_renumber(RO, RW));
    fails(ERRNO_PERM, open_at(RW, "planted", OFLAGS_CREAT, WRITE));
}

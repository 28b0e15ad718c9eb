//! `fd_fdstat_set_rights`: rights are not a thing any more, so they stay.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"");
    let before = ok(fd_fdstat_get(fd));
    fails(ERRNO_NOTSUP, fd_fdstat_set_rights(fd, READ, 0));
    fails(ERRNO_NOTSUP, fd_fdstat_set_rights(fd, before.fs_rights_base, 0));
    fails(ERRNO_NOTSUP, fd_fdstat_set_rights(ROOT, 0, 0));
    assert_eq!(ok(fd_fdstat_get(fd)).fs_rights_base, before.fs_rights_base);

    fails(ERRNO_BADF, fd_fdstat_set_rights(FD_STDOUT, WRITE, 0));
    fails(ERRNO_BADF, fd_fdstat_set_rights(NO_SUCH_FD, 0, 0));
}

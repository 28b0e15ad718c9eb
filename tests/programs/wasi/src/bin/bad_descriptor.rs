//! Every function that takes a descriptor, given one that is not open.

use wasi_programs::*;

fn main() {
    create("file", b"");
    let buffer = &mut [0; 8];

    // Never open, closed by now, and the largest number there is.
    let closed = create_open("closed", b"");
    ok(fd_close(closed));
    for fd in [NO_SUCH_FD, closed, Fd::MAX] {
        fails(ERRNO_BADF, fd_advise(fd, 0, 0, ADVICE_NORMAL));
        fails(ERRNO_BADF, fd_allocate(fd, 0, 1));
        fails(ERRNO_BADF, fd_close(fd));
        fails(ERRNO_BADF, fd_datasync(fd));
        fails(ERRNO_BADF, fd_fdstat_get(fd));
        fails(ERRNO_BADF, fd_fdstat_set_flags(fd, 0));
        fails(ERRNO_BADF, fd_fdstat_set_rights(fd, 0, 0));
        fails(ERRNO_BADF, fd_filestat_get(fd));
        fails(ERRNO_BADF, fd_filestat_set_size(fd, 0));
        fails(ERRNO_BADF, fd_filestat_set_times(fd, 0, 0, 0));
        fails(ERRNO_BADF, fd_pread(fd, &mut [buffer], 0));
        fails(ERRNO_BADF, fd_prestat_dir_name(fd, buffer));
        fails(ERRNO_BADF, fd_prestat_get(fd));
        fails(ERRNO_BADF, fd_pwrite(fd, &[b"x"], 0));
        fails(ERRNO_BADF, fd_read(fd, &mut [buffer]));
        fails(ERRNO_BADF, fd_readdir(fd, buffer, 0));
        fails(ERRNO_BADF, fd_renumber(fd, FD_STDIN));
        fails(ERRNO_BADF, fd_renumber(FD_STDIN, fd));
        fails(ERRNO_BADF, fd_seek(fd, 0, WHENCE_SET));
        fails(ERRNO_BADF, fd_sync(fd));
        fails(ERRNO_BADF, fd_tell(fd));
        fails(ERRNO_BADF, fd_write(fd, &[b"x"]));
        fails(ERRNO_BADF, path_create_directory(fd, "x"));
        fails(ERRNO_BADF, path_filestat_get(fd, 0, "file"));
        fails(ERRNO_BADF, path_filestat_set_times(fd, 0, "file", 0, 0, 0));
        fails(ERRNO_BADF, path_link(fd, 0, "file", ROOT, "x"));
        fails(ERRNO_BADF, path_link(ROOT, 0, "file", fd, "x"));
        fails(ERRNO_BADF, open_at(fd, "file", 0, READ));
        fails(ERRNO_BADF, path_readlink(fd, "file", buffer));
        fails(ERRNO_BADF, path_remove_directory(fd, "file"));
        fails(ERRNO_BADF, path_rename(fd, "file", ROOT, "x"));
        fails(ERRNO_BADF, path_rename(ROOT, "file", fd, "x"));
        fails(ERRNO_BADF, path_symlink("file", fd, "x"));
        fails(ERRNO_BADF, path_unlink_file(fd, "file"));
        fails(ERRNO_BADF, sock_accept(fd, 0));
        fails(ERRNO_BADF, sock_recv(fd, &mut [buffer], 0));
        fails(ERRNO_BADF, sock_send(fd, &[b"x"], 0));
        fails(ERRNO_BADF, sock_shutdown(fd, SDFLAGS_RD));
    }
    assert_eq!(names(ROOT), ["closed", "file"]);
    ok(fd_fdstat_get(FD_STDIN));
}

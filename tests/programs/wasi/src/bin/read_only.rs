//! A read-only preopen: everything that would change it fails with PERM,
//! and everything else works.

use wasi_programs::*;

fn main() {
    // Reading.
    assert_eq!(contents("file"), b"12345");
    assert_eq!(contents("link"), b"12345");
    assert_eq!(contents("a/below"), b"678");
    assert_eq!(names(ROOT), ["a", "empty", "file", "link"]);
    let mut buffer = [0; 8];
    assert_eq!(ok(path_readlink(ROOT, "link", &mut buffer)), 4);
    ok(path_filestat_get(ROOT, FOLLOW, "link"));

    let fd = ok(open("file", 0, READ));
    assert_eq!(ok(fd_pread(fd, &mut [&mut buffer], 2)), 3);
    ok(fd_advise(fd, 0, 0, ADVICE_WILLNEED));
    ok(fd_sync(fd));
    ok(fd_datasync(fd));

    // Opening in any way that could write, whatever is there.
    for path in ["file", "link", "a", "new", "missing/new", "a/new"] {
        fails(ERRNO_PERM, open(path, 0, WRITE));
        fails(ERRNO_PERM, open(path, 0, READ | WRITE));
        fails(ERRNO_PERM, open(path, OFLAGS_CREAT, READ));
        fails(ERRNO_PERM, open(path, OFLAGS_CREAT | OFLAGS_EXCL, READ));
        fails(ERRNO_PERM, open(path, OFLAGS_TRUNC, READ));
    }

    // Paths: what is there and what is not makes no difference.
    for path in ["file", "a", "empty", "link", "new", "../outside/secret.txt"] {
        fails(ERRNO_PERM, path_create_directory(ROOT, path));
        fails(ERRNO_PERM, path_remove_directory(ROOT, path));
        fails(ERRNO_PERM, path_unlink_file(ROOT, path));
        fails(ERRNO_PERM, path_symlink("file", ROOT, path));
        fails(ERRNO_PERM, path_rename(ROOT, path, ROOT, "x"));
        fails(ERRNO_PERM, path_rename(ROOT, "file", ROOT, path));
        fails(ERRNO_PERM, path_link(ROOT, 0, path, ROOT, "x"));
        fails(ERRNO_PERM, path_link(ROOT, FOLLOW, path, ROOT, "x"));
        for flags in [0, FOLLOW] {
            fails(ERRNO_PERM, path_filestat_set_times(ROOT, flags, path, 1, 1, FSTFLAGS_MTIM));
            // Not even for no change at all.
            fails(ERRNO_PERM, path_filestat_set_times(ROOT, flags, path, 0, 0, 0));
        }
    }

    // Descriptors: the host's own file is open for reading only, so writing
    // is BADF, as for any file opened that way.
    fails(ERRNO_BADF, fd_write(fd, &[b"no"]));
    fails(ERRNO_BADF, fd_pwrite(fd, &[b"no"], 0));
    ok(fd_fdstat_set_flags(fd, FDFLAGS_APPEND));
    fails(ERRNO_BADF, fd_write(fd, &[b"no"]));
    fails(ERRNO_PERM, fd_filestat_set_size(fd, 0));
    fails(ERRNO_PERM, fd_filestat_set_times(fd, 1, 1, FSTFLAGS_MTIM));
    fails(ERRNO_PERM, fd_filestat_set_times(ROOT, 1, 1, FSTFLAGS_MTIM));
    fails(ERRNO_NOTSUP, fd_allocate(fd, 0, 100));

    // A directory opened below is read-only as well.
    for directory in [open_directory("a"), ok(open("a", 0, 0))] {
        assert_eq!(names(directory), ["below"]);
        fails(ERRNO_PERM, open_at(directory, "new", OFLAGS_CREAT, WRITE));
        fails(ERRNO_PERM, open_at(directory, "below", 0, WRITE));
        fails(ERRNO_PERM, path_unlink_file(directory, "below"));
        fails(ERRNO_PERM, path_rename(directory, "below", ROOT, "x"));
        fails(ERRNO_PERM, fd_filestat_set_times(directory, 1, 1, FSTFLAGS_MTIM));
    }

    // The way out is as closed as ever.
    fails(ERRNO_PERM, open("../outside/secret.txt", 0, READ));
    fails(ERRNO_PERM, open("/etc/passwd", 0, READ));
}

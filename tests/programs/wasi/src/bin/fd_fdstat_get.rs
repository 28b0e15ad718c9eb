//! `fd_fdstat_get`: the type, flags and rights of every kind of descriptor.

use wasi_programs::*;

const ALL: Rights = (1 << 30) - 1;

fn main() {
    // No terminal here: the type of a standard stream is unknown.
    for (fd, rights) in [(FD_STDIN, READ), (FD_STDOUT, WRITE), (FD_STDERR, WRITE)] {
        let stat = ok(fd_fdstat_get(fd));
        assert_eq!(stat.fs_filetype, FILETYPE_UNKNOWN);
        assert_eq!(stat.fs_flags, 0);
        assert_eq!(stat.fs_rights_base, rights);
        assert_eq!(stat.fs_rights_inheriting, rights);
    }

    // A preopen has what works on directories, and hands on more.
    let root = ok(fd_fdstat_get(ROOT));
    assert_eq!(root.fs_filetype, FILETYPE_DIRECTORY);
    assert_eq!(root.fs_flags, 0);
    let on_directories = RIGHTS_PATH_OPEN | RIGHTS_FD_READDIR | RIGHTS_PATH_CREATE_FILE;
    assert_eq!(root.fs_rights_base & on_directories, on_directories);
    assert_eq!(root.fs_rights_base & (READ | WRITE | RIGHTS_FD_SEEK), 0);
    let handed_on = on_directories | READ | WRITE | RIGHTS_FD_SEEK;
    assert_eq!(root.fs_rights_inheriting & handed_on, handed_on);

    // Any other directory has what was asked for, and never a right to seek.
    ok(path_create_directory(ROOT, "sub"));
    let sub = ok(fd_fdstat_get(open_directory("sub")));
    assert_eq!(sub.fs_filetype, FILETYPE_DIRECTORY);
    assert_eq!(sub.fs_rights_base & RIGHTS_FD_READDIR, RIGHTS_FD_READDIR);
    let not_on_directories =
        RIGHTS_FD_SEEK | RIGHTS_FD_FILESTAT_SET_SIZE | RIGHTS_PATH_FILESTAT_SET_SIZE;
    assert_eq!(sub.fs_rights_base & not_on_directories, 0);

    // A file has every right but those to read or write it the other way.
    create("file", b"");
    for (asked, missing) in [
        (READ, WRITE),
        (WRITE, READ | RIGHTS_FD_READDIR),
        (READ | WRITE, 0),
        // Opened for neither: wasmtime opens it to be read.
        (0, WRITE),
    ] {
        let stat = ok(fd_fdstat_get(ok(open("file", 0, asked))));
        assert_eq!(stat.fs_filetype, FILETYPE_REGULAR_FILE);
        assert_eq!(stat.fs_flags, 0);
        assert_eq!(stat.fs_rights_base, ALL & !missing);
        assert_eq!(stat.fs_rights_inheriting, ALL & !missing);
    }

    for fdflags in [FDFLAGS_APPEND, FDFLAGS_NONBLOCK, FDFLAGS_APPEND | FDFLAGS_NONBLOCK] {
        let fd = ok(path_open(ROOT, 0, "file", 0, READ | WRITE, 0, fdflags));
        assert_eq!(ok(fd_fdstat_get(fd)).fs_flags, fdflags);
    }
}

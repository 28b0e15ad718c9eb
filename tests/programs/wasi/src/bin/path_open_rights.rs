//! `path_open`: of all the rights, reading and writing are what counts.

use wasi_programs::*;

fn main() {
    create("file", b"12345");

    let reader = ok(open("file", 0, READ));
    assert_eq!(read_to_end(reader), b"12345");
    fails(ERRNO_BADF, fd_write(reader, &[b"no"]));

    let writer = ok(open("file", 0, WRITE));
    write_all(writer, b"ab");
    fails(ERRNO_BADF, fd_read(writer, &mut [&mut [0; 1]]));

    let both = ok(open("file", 0, READ | WRITE));
    assert_eq!(read_to_end(both), b"ab345");
    write_all(both, b"6");

    // Without either it can be read: the host has to open it somehow.
    let neither = ok(open("file", 0, 0));
    assert_eq!(read_to_end(neither), b"ab3456");
    fails(ERRNO_BADF, fd_write(neither, &[b"no"]));

    // Rights that were not asked for are not missed.
    ok(fd_seek(reader, 0, WHENCE_SET));
    ok(fd_sync(reader));
    ok(fd_filestat_get(reader));

    // A directory opened with no rights at all does what any other does.
    ok(path_create_directory(ROOT, "a"));
    let directory = ok(open("a", OFLAGS_DIRECTORY, 0));
    let file = ok(open_at(directory, "new", OFLAGS_CREAT, READ | WRITE));
    write_all(file, b"x");
    assert_eq!(names(directory), ["new"]);
}

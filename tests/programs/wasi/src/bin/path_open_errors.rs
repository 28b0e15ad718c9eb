//! `path_open` on paths and descriptors that lead nowhere.

use wasi_programs::*;

fn main() {
    create("file", b"");
    ok(path_create_directory(ROOT, "a"));

    for oflags in [0, OFLAGS_CREAT, OFLAGS_DIRECTORY] {
        fails(ERRNO_NOENT, open("", oflags, READ));
        fails(ERRNO_NOENT, open("missing/below", oflags, READ));
        fails(ERRNO_NOTDIR, open("file/below", oflags, READ));
    }
    fails(ERRNO_NOENT, open("a/missing", 0, READ));

    // `.` is the directory itself.
    ok(open(".", 0, READ));
    ok(open("./a/.././file", 0, READ));
    fails(ERRNO_ISDIR, open(".", 0, WRITE));

    // A file is no directory to start from. Only this function says NOTDIR
    // of it; for the others it is a bad descriptor.
    let file = ok(open("file", 0, READ));
    fails(ERRNO_NOTDIR, open_at(file, "below", 0, READ));
    fails(ERRNO_NOTDIR, open_at(file, "", 0, READ));
    fails(ERRNO_BADF, open_at(FD_STDIN, "file", 0, READ));
    fails(ERRNO_BADF, open_at(NO_SUCH_FD, "file", 0, READ));
}

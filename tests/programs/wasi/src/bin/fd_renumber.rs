//! `fd_renumber`: moves a descriptor onto another, which is closed.

use wasi_programs::*;

fn main() {
    let from = create_open("from", b"from");
    let to = create_open("to", b"to");
    ok(fd_seek(from, 2, WHENCE_SET));

    ok(fd_renumber(from, to));
    // The offset moves along; the old number is free.
    assert_eq!(ok(fd_tell(to)), 2);
    assert_eq!(read_to_end(to), b"om");
    fails(ERRNO_BADF, fd_tell(from));
    assert_eq!(ok(open("from", 0, READ)), from);

    // Onto itself is no change.
    ok(fd_renumber(to, to));
    assert_eq!(ok(fd_tell(to)), 4);

    // Both must be open: a number cannot be made up.
    fails(ERRNO_BADF, fd_renumber(NO_SUCH_FD, to));
    fails(ERRNO_BADF, fd_renumber(to, NO_SUCH_FD));
    fails(ERRNO_BADF, fd_renumber(NO_SUCH_FD, NO_SUCH_FD));
    assert_eq!(ok(fd_tell(to)), 4);

    // The preopen may move, too, and stays one.
    ok(fd_renumber(ROOT, to));
    fails(ERRNO_BADF, fd_prestat_get(ROOT));
    ok(fd_prestat_get(to));
    ok(fd_close(ok(open_at(to, "to", 0, READ))));
}

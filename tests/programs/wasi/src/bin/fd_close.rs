//! `fd_close`: a closed number is gone, and is given out again.

use wasi_programs::*;

fn main() {
    let first = create_open("first", b"1");
    let second = create_open("second", b"2");
    assert!(first > ROOT && second > ROOT && first != second);

    ok(fd_close(first));
    fails(ERRNO_BADF, fd_close(first));
    fails(ERRNO_BADF, fd_tell(first));
    fails(ERRNO_BADF, fd_read(first, &mut [&mut [0; 1]]));

    // The other descriptor is not touched.
    assert_eq!(read_to_end(second), b"2");

    // The freed number comes back before a new one does.
    assert_eq!(ok(open("second", 0, READ)), first);

    // A directory, then the preopen itself: its own descriptors stay good.
    ok(path_create_directory(ROOT, "sub"));
    let sub = open_directory("sub");
    ok(fd_close(ROOT));
    fails(ERRNO_BADF, path_filestat_get(ROOT, 0, "first"));
    fails(ERRNO_BADF, fd_prestat_get(ROOT));
    ok(path_create_directory(sub, "below"));
    ok(fd_close(sub));
    fails(ERRNO_BADF, path_create_directory(sub, "below2"));
}

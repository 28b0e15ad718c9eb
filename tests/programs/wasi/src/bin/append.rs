//! `fdflags::append`: every write goes to the end, whatever the offset.

use wasi_programs::*;

fn main() {
    create("file", b"start ");
    let fd = ok(path_open(ROOT, 0, "file", 0, READ | WRITE, 0, FDFLAGS_APPEND));
    assert_eq!(ok(fd_tell(fd)), 0);

    assert_eq!(ok(fd_write(fd, &[b"one "])), 4);
    assert_eq!(ok(fd_tell(fd)), 10);
    ok(fd_seek(fd, 0, WHENCE_SET));
    assert_eq!(ok(fd_write(fd, &[b"two "])), 4);
    assert_eq!(ok(fd_tell(fd)), 14);

    // Another descriptor moved the end.
    let other = ok(open("file", 0, WRITE));
    ok(fd_pwrite(other, &[b"three "], 14));
    assert_eq!(ok(fd_write(fd, &[b"four "])), 5);

    // As on Linux, an offset given to `fd_pwrite` means nothing here.
    assert_eq!(ok(fd_pwrite(fd, &[b"five"], 0)), 4);
    assert_eq!(contents("file"), b"start one two three four five");

    // Reading still follows the offset.
    ok(fd_seek(fd, 6, WHENCE_SET));
    let mut buffer = [0; 3];
    assert_eq!(ok(fd_read(fd, &mut [&mut buffer])), 3);
    assert_eq!(&buffer, b"one");
}

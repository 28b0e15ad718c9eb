//! `fd_filestat_get` on every kind of descriptor.

use wasi_programs::*;

fn main() {
    // A standard stream that is no terminal has no attributes at all.
    for fd in [FD_STDIN, FD_STDOUT, FD_STDERR] {
        let stat = ok(fd_filestat_get(fd));
        assert_eq!(stat.filetype, FILETYPE_UNKNOWN);
        assert_eq!((stat.dev, stat.ino, stat.nlink, stat.size), (0, 0, 0, 0));
        assert_eq!((stat.atim, stat.mtim, stat.ctim), (0, 0, 0));
    }

    let fd = create_open("file", b"12345");
    let file = ok(fd_filestat_get(fd));
    assert_eq!(file.filetype, FILETYPE_REGULAR_FILE);
    assert_eq!((file.nlink, file.size), (1, 5));

    // The path and the descriptor name the same file, and a link to it too.
    ok(path_link(ROOT, 0, "file", ROOT, "link"));
    let link = ok(path_filestat_get(ROOT, 0, "link"));
    assert_eq!((link.dev, link.ino), (file.dev, file.ino));
    assert_eq!(ok(fd_filestat_get(fd)).nlink, 2);

    let other = create_open("other", b"");
    assert_ne!(ok(fd_filestat_get(other)).ino, file.ino);

    // A write shows at once.
    write_all(other, b"abc");
    assert_eq!(ok(fd_filestat_get(other)).size, 3);

    let root = ok(fd_filestat_get(ROOT));
    assert_eq!(root.filetype, FILETYPE_DIRECTORY);
    assert_eq!(root.ino, ok(path_filestat_get(ROOT, 0, ".")).ino);
}

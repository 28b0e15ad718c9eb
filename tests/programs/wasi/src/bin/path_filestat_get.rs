//! `path_filestat_get`, following links and not.

use wasi_programs::*;

fn main() {
    create("file", b"12345");
    ok(path_create_directory(ROOT, "a"));
    ok(path_symlink("file", ROOT, "to-file"));
    ok(path_symlink("to-file", ROOT, "to-link"));
    ok(path_symlink("a", ROOT, "to-directory"));
    ok(path_symlink("nowhere", ROOT, "dangling"));
    ok(path_symlink("self", ROOT, "self"));

    let file = ok(path_filestat_get(ROOT, 0, "file"));
    assert_eq!(file.filetype, FILETYPE_REGULAR_FILE);
    assert_eq!((file.size, file.nlink), (5, 1));
    let now = ok(clock_time_get(CLOCKID_REALTIME, 0));
    let hour = 3_600_000_000_000;
    assert!(file.mtim > now - hour && file.mtim < now + hour);

    // A link on its own has the size of its text.
    let link = ok(path_filestat_get(ROOT, 0, "to-file"));
    assert_eq!(link.filetype, FILETYPE_SYMBOLIC_LINK);
    assert_eq!(link.size, 4);
    assert_ne!(link.ino, file.ino);

    for name in ["file", "to-file", "to-link"] {
        let stat = ok(path_filestat_get(ROOT, FOLLOW, name));
        assert_eq!(stat.filetype, FILETYPE_REGULAR_FILE);
        assert_eq!((stat.size, stat.ino), (5, file.ino));
    }

    // Links on the way are followed either way.
    create("a/below", b"123");
    for flags in [0, FOLLOW] {
        let stat = ok(path_filestat_get(ROOT, flags, "to-directory/below"));
        assert_eq!(stat.size, 3);
        let stat = ok(path_filestat_get(ROOT, flags, "a/../a/./below"));
        assert_eq!(stat.size, 3);
    }

    ok(path_filestat_get(ROOT, 0, "dangling"));
    fails(ERRNO_NOENT, path_filestat_get(ROOT, FOLLOW, "dangling"));
    ok(path_filestat_get(ROOT, 0, "self"));
    fails(ERRNO_LOOP, path_filestat_get(ROOT, FOLLOW, "self"));
    fails(ERRNO_LOOP, path_filestat_get(ROOT, 0, "self/below"));

    for flags in [0, FOLLOW] {
        fails(ERRNO_NOENT, path_filestat_get(ROOT, flags, "missing"));
        fails(ERRNO_NOENT, path_filestat_get(ROOT, flags, ""));
        fails(ERRNO_NOTDIR, path_filestat_get(ROOT, flags, "file/below"));
        // What ends like a directory's path is one, by way of a link too.
        for path in ["file/", "file//", "file/.", "to-file/", "to-file/."] {
            fails(ERRNO_NOTDIR, path_filestat_get(ROOT, flags, path));
        }
        for path in ["a/", "a/.", "to-directory/", "to-directory/.", "a/../to-directory/"] {
            let stat = ok(path_filestat_get(ROOT, flags, path));
            assert_eq!(stat.filetype, FILETYPE_DIRECTORY, "{path}");
        }
        fails(ERRNO_NOENT, path_filestat_get(ROOT, flags, "dangling/"));
    }
    let fd = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_filestat_get(fd, 0, "x"));
    fails(ERRNO_BADF, path_filestat_get(FD_STDIN, 0, "file"));
}

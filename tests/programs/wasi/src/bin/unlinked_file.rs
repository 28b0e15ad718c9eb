//! An open file outlives its name.

use wasi_programs::*;

fn main() {
    let fd = create_open("file", b"still here");
    ok(path_unlink_file(ROOT, "file"));
    assert_absent("file");

    assert_eq!(read_to_end(fd), b"still here");
    write_all(fd, b"!");
    let stat = ok(fd_filestat_get(fd));
    assert_eq!((stat.nlink, stat.size), (0, 11));
    ok(fd_sync(fd));

    // A new file of that name is another file.
    create("file", b"new");
    assert_ne!(ok(path_filestat_get(ROOT, 0, "file")).ino, stat.ino);

    // A directory outlives its name as well, and takes nothing new in.
    ok(path_create_directory(ROOT, "sub"));
    let sub = open_directory("sub");
    ok(path_remove_directory(ROOT, "sub"));
    assert_eq!(ok(fd_filestat_get(sub)).filetype, FILETYPE_DIRECTORY);
    assert!(names(sub).is_empty());
    fails(ERRNO_NOENT, open_at(sub, "new", OFLAGS_CREAT, WRITE));
    fails(ERRNO_NOENT, path_create_directory(sub, "new"));
}

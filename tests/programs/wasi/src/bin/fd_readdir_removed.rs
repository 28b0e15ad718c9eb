//! `fd_readdir` of a directory whose entries are removed meanwhile: none is missed.

use wasi_programs::*;

const COUNT: usize = 3_000;

fn main() {
    for size in [DIRENT_SIZE + 8, 1_000, 4_096] {
        ok(path_create_directory(ROOT, "many"));
        let many = open_directory("many");
        for index in 0..COUNT {
            ok(fd_close(ok(open_at(many, &format!("{index:05}"), OFLAGS_CREAT, WRITE))));
        }
        let mut removed = 0;
        let mut cookie = DIRCOOKIE_START;
        let mut buffer = vec![0; size];
        loop {
            let used = ok(fd_readdir(many, &mut buffer, cookie));
            for entry in entries(&buffer[..used]) {
                cookie = entry.next;
                if entry.name != "." && entry.name != ".." {
                    ok(path_unlink_file(many, &entry.name));
                    removed += 1;
                }
            }
            if used < size {
                break;
            }
        }
        assert_eq!(removed, COUNT);
        assert!(names(many).is_empty());
        // A name that is new since the beginning shows after a new beginning.
        ok(fd_close(ok(open_at(many, "new", OFLAGS_CREAT, WRITE))));
        assert_eq!(names(many), ["new"]);
        ok(path_unlink_file(many, "new"));
        ok(fd_close(many));
        ok(path_remove_directory(ROOT, "many"));
    }
}

//! `fd_readdir`: the entries, their kinds, cookies and short buffers.

use wasi_programs::*;

fn main() {
    create("file", b"");
    ok(path_create_directory(ROOT, "directory"));
    ok(path_symlink("nowhere", ROOT, "link"));
    create("zażółć 🦀", b"");

    let all = read_directory(ROOT, 4096);

    // `.` and `..` come first. wasmtime gives both the directory's own inode,
    // so that nothing outside the preopen shows.
    let own = ok(fd_filestat_get(ROOT)).ino;
    for (entry, name) in all.iter().zip([".", ".."]) {
        assert_eq!(entry.name, name);
        assert_eq!(entry.filetype, FILETYPE_DIRECTORY);
        assert_eq!(entry.ino, own);
    }

    let mut rest: Vec<&Entry> = all[2..].iter().collect();
    rest.sort_by_key(|entry| &entry.name);
    let kinds: Vec<(&str, Filetype)> =
        rest.iter().map(|entry| (entry.name.as_str(), entry.filetype)).collect();
    assert_eq!(
        kinds,
        [
            ("directory", FILETYPE_DIRECTORY),
            ("file", FILETYPE_REGULAR_FILE),
            ("link", FILETYPE_SYMBOLIC_LINK),
            ("zażółć 🦀", FILETYPE_REGULAR_FILE),
        ]
    );
    for entry in rest {
        let stat = ok(path_filestat_get(ROOT, 0, &entry.name));
        assert_eq!(entry.ino, stat.ino, "{}", entry.name);
    }

    // From any cookie on, the rest and only the rest.
    let mut buffer = [0; 4096];
    for (index, entry) in all.iter().enumerate() {
        let used = ok(fd_readdir(ROOT, &mut buffer, entry.next));
        assert_eq!(entries(&buffer[..used]), all[index + 1..]);
    }
    // Past the end is the end.
    assert_eq!(ok(fd_readdir(ROOT, &mut buffer, 1_000)), 0);
    assert_eq!(ok(fd_readdir(ROOT, &mut buffer, u64::MAX)), 0);

    // A short buffer is filled to its last byte with the cut entry.
    let whole = ok(fd_readdir(ROOT, &mut buffer, DIRCOOKIE_START));
    for size in 0..whole {
        let mut short = vec![0; size];
        assert_eq!(ok(fd_readdir(ROOT, &mut short, DIRCOOKIE_START)), size);
        assert_eq!(short, &buffer[..size]);
    }
    // One that is just long enough is full as well, which does not look like
    // the end; the next call then is empty.
    let mut exact = vec![0; whole];
    assert_eq!(ok(fd_readdir(ROOT, &mut exact, 0)), whole);
    let last = all.last().unwrap().next;
    assert_eq!(ok(fd_readdir(ROOT, &mut exact, last)), 0);

    // An empty directory.
    let directory = open_directory("directory");
    assert_eq!(read_directory(directory, 4096).len(), 2);
    assert!(names(directory).is_empty());

    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, fd_readdir(file, &mut buffer, 0));
    fails(ERRNO_BADF, fd_readdir(FD_STDIN, &mut buffer, 0));
}

//! A directory that moves while it is open is no way out.

use wasi_programs::*;

/// Asserts that `..` leads nowhere from `fd`.
#[track_caller]
fn assert_no_way_up(fd: Fd) {
    for path in ["..", "../file", "../outside/secret.txt", "x/../.."] {
        let errno = if path.starts_with('x') { ERRNO_NOENT } else { ERRNO_PERM };
        fails(errno, open_at(fd, path, 0, READ));
    }
}

fn main() {
    create("file", b"");
    for path in ["a", "a/b", "a/b/c"] {
        ok(path_create_directory(ROOT, path));
    }
    let b = open_directory("a/b");
    let c = open_directory("a/b/c");

    // Up to the top, where `..` would be the preopen's own parent.
    ok(path_rename(ROOT, "a/b/c", ROOT, "c"));
    assert_no_way_up(c);
    // What is made through the descriptor is where the directory is now.
    ok(path_create_directory(c, "new"));
    assert_eq!(filetype("c/new"), Ok(FILETYPE_DIRECTORY));
    assert_absent("a/b/c");
    assert!(names(b).is_empty());

    // Down again, and below its former parent's new place.
    ok(path_rename(ROOT, "a/b", ROOT, "b"));
    ok(path_rename(ROOT, "c", b, "moved"));
    assert_no_way_up(b);
    assert_no_way_up(c);
    assert_eq!(names(c), ["new"]);
    assert_eq!(names(open_directory("b/moved")), ["new"]);

    // Out to another preopen, if there is one, and still no way up.
    let other = ROOT + 1;
    if fd_prestat_get(other).is_ok() {
        let moved = path_rename(b, "moved", other, "adopted");
        if are_mounts() && moved == Err(ERRNO_XDEV) {
            // The directory stays where it was; another is in its place for the end.
            assert_no_way_up(c);
            assert_eq!(names(c), ["new"]);
            ok(path_remove_directory(c, "new"));
            ok(path_remove_directory(b, "moved"));
            for path in ["adopted", "adopted/new", "adopted/newer"] {
                ok(path_create_directory(other, path));
            }
            return;
        }
        ok(moved);
        assert_no_way_up(c);
        assert_eq!(names(c), ["new"]);
        ok(path_create_directory(c, "newer"));
        assert_eq!(names(ok(open_at(other, "adopted", 0, READ))), ["new", "newer"]);
    }
}

//! Absolute paths, in every function that takes a path. The first argument is
//! the one of a file on the host outside of the preopen, the second the
//! preopen's own.

use wasi_programs::*;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    create("file", b"inside");

    let own_file = format!("{}/file", args[2]);
    for path in [
        "/",
        "//",
        "/.",
        "/..",
        "/file",
        "//file",
        "/etc/passwd",
        "/proc/self/root",
        "/missing",
        &args[1],
        // Inside, but named from outside.
        &args[2],
        &own_file,
    ] {
        assert_locked(path);
    }
    assert_eq!(names(ROOT), ["file"]);
}

#[track_caller]
fn assert_locked(path: &str) {
    fails(ERRNO_PERM, open(path, 0, READ));
    fails(ERRNO_PERM, open(path, OFLAGS_DIRECTORY, READ));
    fails(ERRNO_PERM, path_open(ROOT, 0, path, 0, READ, 0, 0));
    fails(ERRNO_PERM, path_filestat_get(ROOT, 0, path));
    fails(ERRNO_PERM, path_filestat_get(ROOT, FOLLOW, path));
    fails(ERRNO_PERM, path_readlink(ROOT, path, &mut [0; 64]));

    fails(ERRNO_PERM, open(path, OFLAGS_CREAT, WRITE));
    for flags in [0, FOLLOW] {
        fails(ERRNO_PERM, path_filestat_set_times(ROOT, flags, path, 1, 1, FSTFLAGS_MTIM));
    }
    fails(ERRNO_PERM, path_create_directory(ROOT, path));
    fails(ERRNO_PERM, path_remove_directory(ROOT, path));
    fails(ERRNO_PERM, path_unlink_file(ROOT, path));
    fails(ERRNO_PERM, path_symlink("file", ROOT, path));
    // Nor may a link lead there.
    fails(ERRNO_PERM, path_symlink(path, ROOT, "link"));
    fails(ERRNO_PERM, path_rename(ROOT, path, ROOT, "stolen"));
    fails(ERRNO_PERM, path_rename(ROOT, "file", ROOT, path));
    fails(ERRNO_PERM, path_link(ROOT, 0, path, ROOT, "stolen"));
    fails(ERRNO_PERM, path_link(ROOT, 0, "file", ROOT, path));
}

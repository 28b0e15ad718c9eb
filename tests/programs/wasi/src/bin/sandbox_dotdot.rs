//! Paths that climb out with `..`, in every function that takes a path.

use wasi_programs::*;

fn main() {
    ok(path_create_directory(ROOT, "a"));
    ok(path_create_directory(ROOT, "a/b"));
    create("file", b"inside");

    for path in [
        "..",
        "../",
        "../.",
        "../..",
        "../outside",
        "../outside/secret.txt",
        "./../outside/secret.txt",
        "a/../../outside/secret.txt",
        "a/b/../../../outside/secret.txt",
        "a//..//..//outside//secret.txt",
        "a/../..",
        // Where this one ends is inside, but not all of the way there is.
        "../scratch/file",
        // What is not there is not told from what is.
        "../missing",
        "../missing/../outside/secret.txt",
    ] {
        assert_locked(path);
    }

    // The climb is refused where it happens, so what comes first counts.
    fails(ERRNO_NOENT, open("missing/../../outside", 0, READ));
    fails(ERRNO_NOTDIR, open("file/../../outside", 0, READ));

    // An opened directory is a sandbox of its own: not even its parent, which
    // is well inside the preopen, can be had through it.
    let a = open_directory("a");
    for path in ["..", "../file", "b/../../file"] {
        fails(ERRNO_PERM, open_at(a, path, 0, READ));
        fails(ERRNO_PERM, path_filestat_get(a, 0, path));
        fails(ERRNO_PERM, path_unlink_file(a, path));
    }
    // As far up as the directory itself is fine.
    ok(open_at(a, "b/..", OFLAGS_DIRECTORY, READ));
    ok(open("a/b/../../file", 0, READ));

    assert_eq!(names(ROOT), ["a", "file"]);
}

#[track_caller]
fn assert_locked(path: &str) {
    fails(ERRNO_PERM, open(path, 0, READ));
    fails(ERRNO_PERM, open(path, OFLAGS_DIRECTORY, READ));
    fails(ERRNO_PERM, path_open(ROOT, 0, path, 0, READ, 0, 0));
    fails(ERRNO_PERM, path_filestat_get(ROOT, 0, path));
    fails(ERRNO_PERM, path_filestat_get(ROOT, FOLLOW, path));
    fails(ERRNO_PERM, path_readlink(ROOT, path, &mut [0; 64]));

    fails(ERRNO_PERM, open(path, 0, WRITE));
    fails(ERRNO_PERM, open(path, OFLAGS_CREAT, WRITE));
    fails(ERRNO_PERM, open(path, OFLAGS_TRUNC, WRITE));
    for flags in [0, FOLLOW] {
        fails(ERRNO_PERM, path_filestat_set_times(ROOT, flags, path, 1, 1, FSTFLAGS_MTIM));
    }
    fails(ERRNO_PERM, path_create_directory(ROOT, path));
    fails(ERRNO_PERM, path_remove_directory(ROOT, path));
    fails(ERRNO_PERM, path_unlink_file(ROOT, path));
    fails(ERRNO_PERM, path_symlink("file", ROOT, path));
    fails(ERRNO_PERM, path_rename(ROOT, path, ROOT, "stolen"));
    fails(ERRNO_PERM, path_rename(ROOT, "file", ROOT, path));
    fails(ERRNO_PERM, path_link(ROOT, 0, path, ROOT, "stolen"));
    fails(ERRNO_PERM, path_link(ROOT, 0, "file", ROOT, path));
}

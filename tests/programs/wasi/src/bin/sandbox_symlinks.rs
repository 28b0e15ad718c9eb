//! Symbolic links that lead out of the preopen, put there by the host.

use wasi_programs::*;

fn main() {
    // To a file, in every way a link can be written.
    for link in [
        "relative",
        "absolute",
        "by-way-of-a-directory",
        "chain",
        "chain-absolute",
        "below/relative",
        // Their ends are inside, but not all of the way there is.
        "out-and-in",
        "absolute-inside",
        // Nothing is there.
        "to-missing",
    ] {
        assert_locked(link);
        // The link itself is inside and can be looked at.
        assert_eq!(filetype(link), Ok(FILETYPE_SYMBOLIC_LINK));
        fails(ERRNO_LOOP, path_open(ROOT, 0, link, 0, READ, 0, 0));
    }

    // To a directory: the link, itself, and all that is below it.
    for link in ["to-outside", "to-parent", "to-root"] {
        assert_locked(link);
        assert_eq!(filetype(link), Ok(FILETYPE_SYMBOLIC_LINK));
        fails(ERRNO_PERM, open(link, OFLAGS_DIRECTORY, READ));
        for path in [
            format!("{link}/"),
            format!("{link}/."),
            format!("{link}/.."),
            format!("{link}/secret.txt"),
            format!("{link}/outside/secret.txt"),
            format!("{link}/missing"),
        ] {
            assert_locked(&path);
            assert_locked_below(&path);
        }
    }

    // The text of a relative link may be read; that of an absolute one would
    // tell about the host.
    let mut buffer = [0; 64];
    let used = ok(path_readlink(ROOT, "relative", &mut buffer));
    assert_eq!(&buffer[..used], b"../outside/secret.txt");
    for link in ["absolute", "to-root", "absolute-inside"] {
        fails(ERRNO_PERM, path_readlink(ROOT, link, &mut buffer));
    }

    // Links themselves can be moved, linked and removed; their text stays the
    // same, which now may climb more or lead nowhere.
    ok(path_rename(ROOT, "below/relative", ROOT, "moved"));
    assert_locked("moved");
    ok(path_rename(ROOT, "relative", ROOT, "below/relative"));
    fails(ERRNO_NOENT, open("below/relative", 0, READ));
    ok(path_link(ROOT, 0, "absolute", ROOT, "absolute-2"));
    assert_locked("absolute-2");
    for link in ["absolute", "absolute-2", "moved", "to-outside"] {
        ok(path_unlink_file(ROOT, link));
        assert_absent(link);
    }
    // Where a link was, a file can be.
    create("absolute", b"mine");
    assert_eq!(contents("absolute"), b"mine");
}

/// Asserts that nothing can be had by following `path`.
#[track_caller]
fn assert_locked(path: &str) {
    fails(ERRNO_PERM, open(path, 0, READ));
    fails(ERRNO_PERM, open(path, 0, WRITE));
    fails(ERRNO_PERM, open(path, OFLAGS_TRUNC, WRITE));
    let creation = open(path, OFLAGS_CREAT, WRITE);
    if path.ends_with('/') {
        // A file cannot be created with a slash, wherever that would be.
        fails_either([ERRNO_ISDIR, ERRNO_INVAL], creation);
    } else {
        fails(ERRNO_PERM, creation);
    }
    fails(ERRNO_PERM, path_filestat_get(ROOT, FOLLOW, path));
    fails(ERRNO_PERM, path_filestat_set_times(ROOT, FOLLOW, path, 1, 1, FSTFLAGS_MTIM));
}

/// Asserts that nothing can be done to `path`, which is not a link itself.
#[track_caller]
fn assert_locked_below(path: &str) {
    fails(ERRNO_PERM, path_open(ROOT, 0, path, 0, READ, 0, 0));
    fails(ERRNO_PERM, path_readlink(ROOT, path, &mut [0; 64]));
    fails(ERRNO_PERM, path_filestat_set_times(ROOT, 0, path, 1, 1, FSTFLAGS_MTIM));
    fails(ERRNO_PERM, path_remove_directory(ROOT, path));
    fails(ERRNO_PERM, path_unlink_file(ROOT, path));
    fails(ERRNO_PERM, path_symlink("file", ROOT, path));
    fails(ERRNO_PERM, path_link(ROOT, 0, path, ROOT, "stolen"));
    fails(ERRNO_PERM, path_link(ROOT, 0, "file", ROOT, path));
    // These take a slash at the end for nothing, the first one a dot as well,
    // and so mean the link.
    if !path.ends_with('/') && !path.ends_with("/.") {
        fails(ERRNO_PERM, path_filestat_get(ROOT, 0, path));
    }
    if !path.ends_with('/') {
        fails(ERRNO_PERM, path_create_directory(ROOT, path));
        fails(ERRNO_PERM, path_rename(ROOT, path, ROOT, "stolen"));
        fails(ERRNO_PERM, path_rename(ROOT, "file", ROOT, path));
    }
}

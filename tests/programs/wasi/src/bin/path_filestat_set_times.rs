//! `path_filestat_set_times`, following links and not.

use wasi_programs::*;

const ATIM: Timestamp = 1_000_000_000_123_456_789;
const MTIM: Timestamp = 1_234_567_890_987_654_321;
const BOTH: Fstflags = FSTFLAGS_ATIM | FSTFLAGS_MTIM;

fn times(path: &str) -> (Timestamp, Timestamp) {
    let stat = ok(path_filestat_get(ROOT, 0, path));
    (stat.atim, stat.mtim)
}

fn set(flags: Lookupflags, path: &str, atim: Timestamp, mtim: Timestamp) -> Result<(), Errno> {
    path_filestat_set_times(ROOT, flags, path, atim, mtim, BOTH)
}

/// Longer than a tick of a system's clock takes.
const TICK: Timestamp = 100_000_000;

fn main() {
    create("file", b"");
    ok(path_symlink("file", ROOT, "link"));
    ok(path_symlink("nowhere", ROOT, "dangling"));
    ok(path_create_directory(ROOT, "directory"));

    for flags in [0, FOLLOW] {
        for path in ["file", "directory"] {
            ok(set(flags, path, ATIM, MTIM));
            assert_eq!(times(path), (ATIM, MTIM));
        }
    }

    // The link itself, then what it points to.
    ok(set(0, "link", 1_000, 2_000));
    assert_eq!(times("link"), (1_000, 2_000));
    assert_eq!(times("file"), (ATIM, MTIM));
    ok(set(FOLLOW, "link", 3_000, 4_000));
    assert_eq!(times("file"), (3_000, 4_000));
    // Following the link was a use of it, so its atim may be newer.
    assert_eq!(times("link").1, 2_000);

    // Only what the flags name is set.
    ok(path_filestat_set_times(ROOT, 0, "file", 7, 7, 0));
    assert_eq!(times("file"), (3_000, 4_000));
    ok(path_filestat_set_times(ROOT, 0, "file", 7, 7, FSTFLAGS_MTIM));
    assert_eq!(times("file"), (3_000, 7));
    // A system may take the time of its last tick for a file's.
    let now = ok(clock_time_get(CLOCKID_REALTIME, 0)) - TICK;
    ok(path_filestat_set_times(ROOT, 0, "file", 7, 7, FSTFLAGS_ATIM_NOW));
    assert!(times("file").0 >= now);
    assert_eq!(times("file").1, 7);

    for both in [FSTFLAGS_ATIM | FSTFLAGS_ATIM_NOW, FSTFLAGS_MTIM | FSTFLAGS_MTIM_NOW] {
        fails(ERRNO_INVAL, path_filestat_set_times(ROOT, 0, "file", 1, 1, both));
    }
    ok(set(0, "dangling", 1, 1));
    fails(ERRNO_NOENT, set(FOLLOW, "dangling", 1, 1));
    assert_absent("nowhere");
    for flags in [0, FOLLOW] {
        fails(ERRNO_NOENT, set(flags, "missing", 1, 1));
        fails(ERRNO_NOENT, set(flags, "", 1, 1));
        fails(ERRNO_NOTDIR, set(flags, "file/below", 1, 1));
    }
    let file = ok(open("file", 0, READ));
    fails(ERRNO_BADF, path_filestat_set_times(file, 0, "x", 1, 1, 0));
}

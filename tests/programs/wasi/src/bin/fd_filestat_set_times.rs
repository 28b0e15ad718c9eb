//! `fd_filestat_set_times`: given times, the present, and no change.

use wasi_programs::*;

const ATIM: Timestamp = 1_000_000_000_123_456_789;
const MTIM: Timestamp = 1_234_567_890_987_654_321;

fn times(fd: Fd) -> (Timestamp, Timestamp) {
    let stat = ok(fd_filestat_get(fd));
    (stat.atim, stat.mtim)
}

/// Longer than a tick of a system's clock takes.
const TICK: Timestamp = 100_000_000;

fn main() {
    let fd = create_open("file", b"");
    ok(fd_filestat_set_times(fd, ATIM, MTIM, FSTFLAGS_ATIM | FSTFLAGS_MTIM));
    assert_eq!(times(fd), (ATIM, MTIM));

    // A time whose flag is not set is left alone.
    ok(fd_filestat_set_times(fd, 0, 0, 0));
    assert_eq!(times(fd), (ATIM, MTIM));
    ok(fd_filestat_set_times(fd, 7, MTIM + 1, FSTFLAGS_MTIM));
    assert_eq!(times(fd), (ATIM, MTIM + 1));
    ok(fd_filestat_set_times(fd, ATIM + 1, 7, FSTFLAGS_ATIM));
    assert_eq!(times(fd), (ATIM + 1, MTIM + 1));

    // A system may take the time of its last tick for a file's.
    let now = ok(clock_time_get(CLOCKID_REALTIME, 0)) - TICK;
    ok(fd_filestat_set_times(fd, 0, 0, FSTFLAGS_ATIM_NOW | FSTFLAGS_MTIM_NOW));
    let (atim, mtim) = times(fd);
    assert!(atim >= now && mtim >= now, "{atim} or {mtim} before {now}");

    // Both a given time and the present.
    for both in [FSTFLAGS_ATIM | FSTFLAGS_ATIM_NOW, FSTFLAGS_MTIM | FSTFLAGS_MTIM_NOW] {
        fails(ERRNO_INVAL, fd_filestat_set_times(fd, 1, 1, both));
        // The flags are looked at before the descriptor.
        fails(ERRNO_INVAL, fd_filestat_set_times(NO_SUCH_FD, 1, 1, both));
    }
    assert_eq!(times(fd), (atim, mtim));

    // A file open for reading only will do, and so will a directory.
    let read_only = ok(open("file", 0, READ));
    ok(fd_filestat_set_times(read_only, 0, MTIM, FSTFLAGS_MTIM));
    assert_eq!(times(fd).1, MTIM);
    ok(path_create_directory(ROOT, "sub"));
    let sub = open_directory("sub");
    ok(fd_filestat_set_times(sub, 0, MTIM, FSTFLAGS_MTIM));
    assert_eq!(times(sub).1, MTIM);

    fails(ERRNO_BADF, fd_filestat_set_times(FD_STDIN, 0, 0, 0));
}

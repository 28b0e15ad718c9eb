//! No call waits for the other end of a pipe, whoever puts one where, and when.

use super::{PATH, RESULT, ROOT, World, scratch};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use wrt_abi::services::wasi::{Errno, FunctionId};

/// Longer than any of this takes; what waits for a pipe takes longer.
const HANG: Duration = Duration::from_secs(60);
const FOLLOW: u64 = 1;
const NO_FOLLOW: u64 = 0;
const RIGHTS: [u64; 3] = [1 << 1, 1 << 6, 1 << 1 | 1 << 6];
/// Set both times, now.
const NOW: u64 = 2 | 8;

fn pipe(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
}

/// Runs a test in a thread, of which nothing but its end is waited for.
fn within_time(test: impl FnOnce() + Send + 'static) {
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        test();
        // Nobody listens after the time.
        let _ = sender.send(());
    });
    ended.recv_timeout(HANG).expect("a call waits, or a thread has panicked");
}

fn open(world: &mut World, path: &str, lookup: u64, oflags: u64, rights: u64) -> i32 {
    let [path, len] = world.put(PATH, path);
    let words = [ROOT, lookup, path, len, oflags, rights, 0, 0, RESULT];
    world.call(FunctionId::PathOpen, &words).unwrap()
}

fn set_times(world: &mut World, path: &str, lookup: u64) -> i32 {
    let [path, len] = world.put(PATH, path);
    let words = [ROOT, lookup, path, len, 0, 0, NOW];
    world.call(FunctionId::PathFilestatSetTimes, &words).unwrap()
}

#[test]
fn a_pipe_is_not_opened() {
    within_time(|| {
        let folder = scratch();
        pipe(&folder.path().join("pipe"));
        std::os::unix::fs::symlink("pipe", folder.path().join("link")).unwrap();
        let mut world = World::new(folder.path());
        for rights in RIGHTS {
            for oflags in [0, 1, 8, 9] {
                for path in ["pipe", "link"] {
                    let errno = open(&mut world, path, FOLLOW, oflags, rights);
                    assert_eq!(errno, Errno::Nxio as i32, "{path} {oflags} {rights}");
                }
            }
        }
    });
}

#[test]
fn the_times_of_a_pipe_change_without_its_being_opened() {
    within_time(|| {
        let folder = scratch();
        let path = folder.path().join("pipe");
        pipe(&path);
        std::os::unix::fs::symlink("pipe", folder.path().join("link")).unwrap();
        let mut world = World::new(folder.path());
        for (name, lookup) in [("pipe", FOLLOW), ("pipe", NO_FOLLOW), ("link", FOLLOW)] {
            let long_ago = filetime(&path);
            assert_eq!(set_times(&mut world, name, lookup), Errno::Success as i32, "{name}");
            assert!(fs::symlink_metadata(&path).unwrap().modified().unwrap() > long_ago);
        }
        // The link itself has times as well.
        assert_eq!(set_times(&mut world, "link", NO_FOLLOW), Errno::Success as i32);
    });
}

/// Sets a file's times back; returns the time.
fn filetime(path: &Path) -> std::time::SystemTime {
    let time = rustix::fs::Timespec { tv_sec: 1_000, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::empty()).unwrap();
    fs::symlink_metadata(path).unwrap().modified().unwrap()
}

#[test]
fn a_pipe_that_takes_a_files_place_is_not_waited_for() {
    const TRIES: usize = 20_000;
    within_time(|| {
        let folder = scratch();
        let root = folder.path();
        let [name, file, fifo] = ["name", "file", "pipe"].map(|name| root.join(name));
        fs::write(&file, "").unwrap();
        pipe(&fifo);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for other in [&file, &fifo] {
                        // Each link is made anew: a rename of one name to another of the same
                        // file does nothing.
                        let link = root.join("link");
                        fs::hard_link(other, &link).unwrap();
                        fs::rename(&link, &name).unwrap();
                    }
                }
            });
            let mut world = World::new(root);
            for turn in 0..TRIES {
                let errno = open(&mut world, "name", FOLLOW, 0, RIGHTS[turn % RIGHTS.len()]);
                if errno == Errno::Success as i32 {
                    let fd = world.result().into();
                    let done = world.call(FunctionId::FdClose, &[fd]).unwrap();
                    assert_eq!(done, Errno::Success as i32);
                }
                set_times(&mut world, "name", FOLLOW);
            }
            over.store(true, Ordering::Relaxed);
        });
    });
}

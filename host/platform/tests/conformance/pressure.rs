//! Memory pressure: the level is known, handlers are called, a squeeze is felt.

use crate::child::{is_child, rerun};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;
use wrt_platform::memory::AllocatorBuilder;
use wrt_platform::pressure::{PressureLevel, PressureMonitor, availability, current_level};

#[test]
fn the_level_is_known_with_and_without_a_monitor() {
    let before = current_level();
    assert!(before <= PressureLevel::Critical);
    let monitor = PressureMonitor::new();
    monitor.start().unwrap();
    assert!(monitor.start().is_err(), "it runs already");
    current_level();
    monitor.stop();
    monitor.start().unwrap();
    drop(monitor);
    assert!(availability().available, "{:?}", availability());
}

#[test]
fn a_monitor_ends_with_its_value() {
    let monitor = PressureMonitor::new();
    let (alive, ended) = channel::<()>();
    monitor.on_pressure(move |_| alive.send(()).unwrap_or(()));
    monitor.start().unwrap();
    drop(monitor);
    // The handler is gone, and with it the thread that had it.
    while ended.recv().is_ok() {}
}

/// Large enough that what is left of it is no stall: it is the limit itself that is felt.
const LIMIT: usize = 256 << 20;

/// A control group of the test's, removed when dropped.
struct Group(PathBuf);

impl Group {
    /// One with a limit, if this process may make one.
    fn new() -> Option<Self> {
        let name = format!("wrt-vm-squeeze-{}", std::process::id());
        // Version 2, then version 1, each where it is usually mounted.
        [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")]
            .into_iter()
            .find_map(|(root, limit)| {
                let folder = Path::new(root).join(&name);
                if !Path::new(root).join("cgroup.procs").exists() {
                    return None;
                }
                std::fs::create_dir(&folder).ok()?;
                let group = Self(folder);
                std::fs::write(group.0.join(limit), LIMIT.to_string()).ok()?;
                Some(group)
            })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_squeeze_is_felt() {
    if is_child() {
        return squeezed();
    }
    let Some(group) = Group::new() else {
        return eprintln!("skipped: no control group with a memory limit can be made here");
    };
    let child = rerun("pressure::a_squeeze_is_felt")
        .env("WRT_CONFORMANCE_GROUP", &group.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(said.contains("felt"), "{said}");
}

/// Goes into the group, takes nearly all memory that it may have, and gives it back.
fn squeezed() {
    let group = PathBuf::from(std::env::var_os("WRT_CONFORMANCE_GROUP").unwrap());
    let me = std::process::id().to_string();
    std::fs::write(group.join("cgroup.procs"), me).unwrap();

    let monitor = PressureMonitor::new().with_settle_time(Duration::from_millis(200));
    let (told, hear) = channel();
    monitor.on_pressure(move |level| told.send(level).unwrap());
    monitor.start().unwrap();
    let wait = |what: &str, enough: &dyn Fn(PressureLevel) -> bool| loop {
        let level = hear.recv_timeout(Duration::from_secs(30));
        if enough(level.unwrap_or_else(|_| panic!("waiting for {what}"))) {
            return;
        }
    };
    let page = wrt_platform::memory::page_size();
    let allocator = AllocatorBuilder::new().build().unwrap();
    let mut memory = allocator.allocate(LIMIT / 100 * 93 / page, None).unwrap();
    memory.as_mut_slice().unwrap().chunks_mut(page).for_each(|page| page[0] = 1);
    wait("pressure", &|level| level >= PressureLevel::Warning);
    assert!(current_level() >= PressureLevel::Warning);
    drop(memory);
    wait("the end of it", &|level| level == PressureLevel::Normal);
    println!("felt");
}

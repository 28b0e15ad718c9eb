//! The source over files of the test's.

use super::*;

#[test]
fn what_is_available_is_looked_at_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let meminfo = folder.path().join("meminfo");
    let available = |kib: u64| {
        let text = format!("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: {kib} kB\n");
        std::fs::write(&meminfo, text).unwrap();
    };
    available(500);
    let (mut source, waker) = open().unwrap();
    source.places =
        Places { meminfo: meminfo.clone(), stalls: Vec::new(), cgroup: Cgroup::default() };
    source.triggers.clear();
    let mut look = || source.wait(Duration::from_millis(1));
    assert_eq!(look(), PressureLevel::Normal);
    for (kib, level) in [
        (90, PressureLevel::Warning),
        (40, PressureLevel::Urgent),
        (10, PressureLevel::Critical),
        (500, PressureLevel::Normal),
    ] {
        available(kib);
        assert_eq!(look(), level, "{kib} KiB");
    }
    waker.wake();
    let before = Instant::now();
    source.wait(Duration::from_secs(60));
    assert!(before.elapsed() < Duration::from_secs(30), "the waker ends a wait");
}

#[test]
fn a_stall_counts_for_a_while() {
    let (mut source, _waker) = open().unwrap();
    source.places =
        Places { meminfo: "/nonexistent".into(), stalls: Vec::new(), cgroup: Cgroup::default() };
    source.triggers.clear();
    source.stalls[Stall::Much as usize] = Some(Instant::now());
    assert_eq!(source.wait(Duration::ZERO), PressureLevel::Urgent);
    source.stalls[Stall::Much as usize] = Instant::now().checked_sub(2 * HOLD);
    assert_eq!(source.wait(Duration::ZERO), PressureLevel::Normal);
}

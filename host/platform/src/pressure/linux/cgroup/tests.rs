//! Control groups made of ordinary files.

use super::*;
use std::fs::{create_dir_all, write};

/// A hierarchy with a group in a group, in a folder.
fn two(folder: &Path, membership: &str) -> Cgroup {
    let mount = format!("31 24 0:28 / {} rw,nosuid - cgroup2 cgroup2 rw\n", folder.display());
    find(membership, &mount)
}

#[test]
fn version_two_is_read_up_to_the_mount() {
    let folder = tempfile::tempdir().unwrap();
    let (outer, inner) = (folder.path().join("a"), folder.path().join("a/b"));
    create_dir_all(&inner).unwrap();
    for (group, current, max) in [(&outer, "600", "1000"), (&inner, "100", "max")] {
        write(group.join("memory.current"), current).unwrap();
        write(group.join("memory.max"), max).unwrap();
    }
    let mut cgroup = two(folder.path(), "5:cpu:/\n0::/a/b\n");
    assert!(cgroup.is_limited());
    assert_eq!(cgroup.memory_limit(), Some(1000), "the outer limit counts");
    assert_eq!(cgroup.pressure_file(), Some(inner.join("memory.pressure")));
    assert_eq!(cgroup.level(), PressureLevel::Normal);
    write(outer.join("memory.current"), "970").unwrap();
    assert_eq!(cgroup.level(), PressureLevel::Urgent, "the outer limit counts");
    write(outer.join("memory.stat"), "anon 1\ninactive_file 200\nactive_file 100\n").unwrap();
    assert_eq!(cgroup.level(), PressureLevel::Normal, "what is cached is left");
    write(inner.join("memory.high"), "101").unwrap();
    assert_eq!(cgroup.memory_limit(), Some(101));
    assert_eq!(cgroup.level(), PressureLevel::Critical);

    let events = |max: u64, oom: u64| {
        write(inner.join("memory.events"), format!("low 0\nmax {max}\noom {oom}\noom_kill 0\n"))
            .unwrap();
    };
    events(5, 0);
    assert_eq!(cgroup.events(), None, "what was before is no news");
    events(6, 0);
    assert_eq!(cgroup.events(), Some(PressureLevel::Urgent));
    assert_eq!(cgroup.events(), None);
    events(7, 1);
    assert_eq!(cgroup.events(), Some(PressureLevel::Critical));
}

#[test]
fn version_one_is_read_where_the_memory_controller_is() {
    let folder = tempfile::tempdir().unwrap();
    let group = folder.path().join("box");
    create_dir_all(&group).unwrap();
    write(group.join("memory.usage_in_bytes"), "920\n").unwrap();
    write(group.join("memory.limit_in_bytes"), "1000\n").unwrap();
    let mounts = format!(
        "30 24 0:27 / /elsewhere rw - cgroup2 none rw\n\
         31 24 0:28 /docker {} rw shared:4 - cgroup none rw,memory\n",
        folder.path().display()
    );
    let cgroup = find("3:cpu,memory:/docker/box\n0::/\n", &mounts);
    assert_eq!(cgroup.level(), PressureLevel::Warning);
    assert_eq!(cgroup.pressure_file(), None);
    write(group.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
    assert!(!cgroup.is_limited());
}

#[test]
fn nonsense_is_no_group() {
    for (membership, mounts) in [("", ""), ("0::/a", ""), ("0", "x - y"), ("0::/a", " - cgroup2")] {
        let cgroup = find(membership, mounts);
        assert_eq!(cgroup.level(), PressureLevel::Normal);
        assert!(!cgroup.is_limited());
    }
}

//! Linux: scheduling classes, timer slack, sysfs.

use super::{Cores, Facts, Kind, MemoryOrder, Qos};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::path::Path;

pub(super) const HOW: &str = "SCHED_BATCH, SCHED_IDLE, niceness, timer slack";

/// The timer slack that a thread had, in nanoseconds; 0 for one that was not changed.
#[derive(Debug)]
pub(super) struct Assertion {
    before: libc::c_ulong,
}

impl Assertion {
    pub(super) fn new(kind: Kind, _reason: &str) -> io::Result<Self> {
        let slack = match kind {
            // The kernel's own, of 50 microseconds, stays.
            Kind::UserInitiated => return Ok(Self { before: 0 }),
            Kind::LatencyCritical => 1,
            // Timers within 4 milliseconds are served together.
            Kind::Background => 4_000_000,
        };
        let before = timer_slack()?;
        set_timer_slack(slack)?;
        Ok(Self { before })
    }
}

impl Drop for Assertion {
    fn drop(&mut self) {
        if self.before != 0 {
            // It was valid before.
            let _ = set_timer_slack(self.before);
        }
    }
}

/// The calling thread's timer slack in nanoseconds.
pub(super) fn timer_slack() -> io::Result<libc::c_ulong> {
    // SAFETY: `prctl(2)`: returns a number.
    let slack = unsafe { libc::prctl(libc::PR_GET_TIMERSLACK, 0, 0, 0, 0) };
    libc::c_ulong::try_from(slack).map_err(|_| io::Error::last_os_error())
}

fn set_timer_slack(nanoseconds: libc::c_ulong) -> io::Result<()> {
    // SAFETY: `prctl(2)`: takes a number.
    match unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, nanoseconds, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn set_thread_qos(qos: Qos) -> io::Result<()> {
    let (policy, nice) = match qos {
        Qos::UserInteractive | Qos::UserInitiated | Qos::Default => (libc::SCHED_OTHER, 0),
        Qos::Utility => (libc::SCHED_BATCH, 5),
        Qos::Background => (libc::SCHED_IDLE, 10),
    };
    // SAFETY: all zero is a valid `sched_param`, and the only one for these policies.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: `sched_setscheduler(2)`: reads one structure; 0 is the calling thread.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `setpriority(2)`: takes numbers; 0 is the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

pub(super) fn facts() -> Facts {
    let memory_order = match cfg!(target_arch = "x86_64") {
        true => MemoryOrder::TotalStore,
        false => MemoryOrder::Weak,
    };
    Facts {
        cores: cores(Path::new("/sys/devices")),
        unified_memory: None,
        memory_order,
        wired_limit: getrlimit(Resource::Memlock).current,
    }
}

/// Kinds of cores: by capacity (Arm), or by the counters of each kind (hybrid x86).
fn cores(devices: &Path) -> Vec<Cores> {
    let mut kinds: Vec<(u32, usize)> = Vec::new();
    for number in 0.. {
        let cpu = devices.join(format!("system/cpu/cpu{number}"));
        if !cpu.exists() {
            break;
        }
        let Ok(capacity) = std::fs::read_to_string(cpu.join("cpu_capacity")) else { continue };
        let Ok(capacity) = capacity.trim().parse() else { continue };
        match kinds.iter_mut().find(|kind| kind.0 == capacity) {
            Some(kind) => kind.1 += 1,
            None => kinds.push((capacity, 1)),
        }
    }
    if !kinds.is_empty() {
        kinds.sort_unstable_by(|a, b| b.cmp(a));
        let named = |(capacity, count)| Cores { name: format!("capacity {capacity}"), count };
        return kinds.into_iter().map(named).collect();
    }
    let hybrid = [("cpu_core", "performance"), ("cpu_atom", "efficiency")];
    let hybrid = hybrid.into_iter().filter_map(|(folder, name)| {
        let list = std::fs::read_to_string(devices.join(folder).join("cpus")).ok()?;
        Some(Cores { name: name.to_owned(), count: count(list.trim())? })
    });
    let hybrid: Vec<_> = hybrid.collect();
    if !hybrid.is_empty() {
        return hybrid;
    }
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    vec![Cores { name: "all".to_owned(), count }]
}

/// How many numbers a list like `0-3,8` has.
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0_usize, |sum, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_counted() {
        assert_eq!(count("0-3,8"), Some(5));
        assert_eq!(count("7"), Some(1));
        assert_eq!(count(""), None);
        assert_eq!(count("3-1"), None);
    }

    #[test]
    fn kinds_of_cores_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (cpu, capacity) in [(0, 446), (1, 446), (2, 1024)] {
            let cpu = folder.path().join(format!("system/cpu/cpu{cpu}"));
            std::fs::create_dir_all(&cpu).unwrap();
            std::fs::write(cpu.join("cpu_capacity"), format!("{capacity}\n")).unwrap();
        }
        let found: Vec<_> =
            cores(folder.path()).into_iter().map(|cores| (cores.name, cores.count)).collect();
        assert_eq!(found, [("capacity 1024".to_owned(), 1), ("capacity 446".to_owned(), 2)]);
    }

    #[test]
    fn hybrid_cores_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for (kind, list) in [("cpu_core", "0-7\n"), ("cpu_atom", "8-11\n")] {
            std::fs::create_dir(folder.path().join(kind)).unwrap();
            std::fs::write(folder.path().join(kind).join("cpus"), list).unwrap();
        }
        let found: Vec<_> = cores(folder.path()).into_iter().map(|cores| cores.count).collect();
        assert_eq!(found, [8, 4]);
    }

    #[test]
    fn an_activity_changes_timers_and_puts_them_back() {
        let before = timer_slack().unwrap();
        let activity = Assertion::new(Kind::LatencyCritical, "a test").unwrap();
        assert_eq!(timer_slack().unwrap(), 1);
        drop(activity);
        assert_eq!(timer_slack().unwrap(), before);
    }

    #[test]
    fn a_class_changes_the_policy() {
        std::thread::spawn(|| {
            for (qos, policy) in [
                (Qos::Default, libc::SCHED_OTHER),
                (Qos::Utility, libc::SCHED_BATCH),
                (Qos::Background, libc::SCHED_IDLE),
            ] {
                set_thread_qos(qos).unwrap();
                // SAFETY: returns a number.
                assert_eq!(unsafe { libc::sched_getscheduler(0) }, policy, "{qos:?}");
            }
        })
        .join()
        .unwrap();
    }
}

//! Pressure by stalls, by the control group's limit and by what is available.

mod cgroup;
mod gauge;
mod stall;

use super::{PressureLevel, Source};
use crate::availability::Availability;
use cgroup::Cgroup;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use stall::{Stall, Trigger};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

const MEMINFO: &str = "/proc/meminfo";
const PRESSURE: &str = "/proc/pressure/memory";
/// For how long a stall or an event counts: the window of a trigger, which fires once in it, and
/// half of it.
const HOLD: Duration = Duration::from_secs(3);

/// What there is to look at.
struct Places {
    meminfo: PathBuf,
    /// Files with the stalls of the machine and of the control group.
    stalls: Vec<PathBuf>,
    cgroup: Cgroup,
}

impl Places {
    fn find() -> Self {
        let cgroup = Cgroup::of_this_process();
        let stalls = [Some(PathBuf::from(PRESSURE)), cgroup.pressure_file()];
        let stalls = stalls.into_iter().flatten().filter(|file| file.exists()).collect();
        Self { meminfo: MEMINFO.into(), stalls, cgroup }
    }

    /// The level without waiting for anything.
    fn level(&self) -> PressureLevel {
        let stalls = self.stalls.iter().filter_map(|file| stall::average(file));
        self.available().max(stalls.max().unwrap_or_default())
    }

    /// The level by what is available to the machine and to the control group.
    fn available(&self) -> PressureLevel {
        gauge::machine(&self.meminfo).unwrap_or_default().max(self.cgroup.level())
    }
}

/// The level now, once.
pub(super) fn sample() -> PressureLevel {
    Places::find().level()
}

/// As [`super::memory_limit`].
pub(super) fn memory_limit() -> Option<u64> {
    Cgroup::of_this_process().memory_limit()
}

/// The level by one small file.
pub(super) fn glance() -> PressureLevel {
    gauge::machine(Path::new(MEMINFO)).unwrap_or_default()
}

/// Ends a wait.
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn wake(&self) {
        // It can only be full, and then the waiter wakes, too.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// All that tells the level.
pub(super) struct SystemSource {
    places: Places,
    triggers: Vec<Trigger>,
    /// When each kind of stall was last told of.
    stalls: [Option<Instant>; Stall::ALL.len()],
    /// When the control group last ran into its limit, and how badly.
    event: Option<(Instant, PressureLevel)>,
    wake: Arc<OwnedFd>,
}

/// Opens what there is; if that is only what is available, it is looked at now and then.
pub(super) fn open() -> io::Result<(SystemSource, Waker)> {
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let wake = Arc::new(wake);
    let places = Places::find();
    let triggers = places.stalls.iter().flat_map(|file| Trigger::all(file)).collect();
    let waker = Waker(Arc::clone(&wake));
    let stalls = [None; Stall::ALL.len()];
    Ok((SystemSource { places, triggers, stalls, event: None, wake }, waker))
}

impl Source for SystemSource {
    fn wait(&mut self, limit: Duration) -> PressureLevel {
        let told = self.poll(limit);
        let now = Instant::now();
        for stall in told {
            self.stalls[stall as usize] = Some(now);
        }
        if let Some(level) = self.places.cgroup.events() {
            self.event = Some((now, level));
        }
        let recent = |then: Instant| now.duration_since(then) < HOLD;
        let stalled =
            Stall::ALL.into_iter().filter(|stall| self.stalls[*stall as usize].is_some_and(recent));
        let stalled = stalled.map(Stall::level).max().unwrap_or_default();
        let event = self.event.filter(|(then, _)| recent(*then)).map(|(_, level)| level);
        self.places.available().max(stalled).max(event.unwrap_or_default())
    }
}

impl SystemSource {
    /// Waits; returns the stalls that were told of.
    fn poll(&mut self, limit: Duration) -> Vec<Stall> {
        let mut files: Vec<_> =
            self.triggers.iter().map(|trigger| PollFd::new(trigger, PollFlags::PRI)).collect();
        files.push(PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN));
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        // An interrupted wait is a short one.
        let _ = poll(&mut files, Some(&limit));
        let state: Vec<_> = files.iter().map(PollFd::revents).collect();
        let all = self.triggers.iter().zip(&state);
        let told = all
            .filter(|(trigger, state)| state.contains(PollFlags::PRI) && trigger.is_plausible())
            .map(|(t, _)| t.stall)
            .collect();
        // The control group that it belonged to is gone.
        let mut gone = state.iter().map(|state| state.contains(PollFlags::ERR));
        self.triggers.retain(|_| !gone.next().unwrap_or(false));
        told
    }
}

pub(super) fn availability() -> Availability {
    let places = Places::find();
    let mut how = Vec::new();
    for file in &places.stalls {
        if !Trigger::all(file).is_empty() {
            how.push(format!("stall triggers on {}", file.display()));
        }
    }
    let triggers = !how.is_empty();
    if places.cgroup.is_limited() {
        how.push("the control group's limit".into());
    }
    if gauge::machine(&places.meminfo).is_some() {
        how.push(format!("MemAvailable of {MEMINFO}"));
    }
    let nothing = how.is_empty();
    let mut here = Availability::full("pressure", how.join("; "));
    if nothing {
        here.available = false;
        here = here.lacking("neither stalls nor available memory can be read", "mount /proc");
    } else if !triggers {
        let why = if Path::new(PRESSURE).exists() {
            format!("{PRESSURE} takes no triggers, so that levels are polled")
        } else {
            "the kernel has no pressure stall information, so that levels are polled".into()
        };
        here = here.lacking(why, "use a kernel with CONFIG_PSI, started with psi=1");
    }
    here
}

#[cfg(test)]
mod tests {
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
        source.places = Places {
            meminfo: "/nonexistent".into(),
            stalls: Vec::new(),
            cgroup: Cgroup::default(),
        };
        source.triggers.clear();
        source.stalls[Stall::Much as usize] = Some(Instant::now());
        assert_eq!(source.wait(Duration::ZERO), PressureLevel::Urgent);
        source.stalls[Stall::Much as usize] = Instant::now().checked_sub(2 * HOLD);
        assert_eq!(source.wait(Duration::ZERO), PressureLevel::Normal);
    }
}

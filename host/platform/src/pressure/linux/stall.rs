//! Pressure stall information: the time that tasks wait for memory.
//!
//! A trigger that was just set may fire at the next stall however short, as if all stalls since
//! the machine began were in its window: seen on Linux 6.18. So what a trigger says is checked
//! against the totals, and not believed if there cannot have been so much.
//!
//! Without CAP_SYS_RESOURCE a trigger's window must be a multiple of two seconds; another is
//! refused with EINVAL (`psi_trigger_create`, kernel/sched/psi.c).

use super::PressureLevel;
use rustix::fs::{Mode, OFlags, open};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const WINDOW_US: u32 = 2_000_000;

/// A share of time in which tasks wait, that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// Some task waits, now and then.
    Some,
    /// Some task waits, much of the time.
    Much,
    /// All tasks wait.
    All,
}

impl Stall {
    pub(super) const ALL: [Self; 3] = [Self::Some, Self::Much, Self::All];

    /// What it means.
    pub(super) fn level(self) -> PressureLevel {
        match self {
            Self::Some => PressureLevel::Warning,
            Self::Much => PressureLevel::Urgent,
            Self::All => PressureLevel::Critical,
        }
    }

    /// The line of the file that it is about, and microseconds of a window.
    fn limit(self) -> (&'static str, u32) {
        match self {
            Self::Some => ("some", 150_000),
            Self::Much => ("some", 400_000),
            Self::All => ("full", 150_000),
        }
    }
}

/// A file that tells when its stall occurs.
#[derive(Debug)]
pub(super) struct Trigger {
    pub(super) stall: Stall,
    file: OwnedFd,
    path: PathBuf,
    /// Microseconds of stalls before it was set.
    before: u64,
}

impl Trigger {
    /// One for each kind of stall, if the file takes them.
    pub(super) fn all(file: &Path) -> Vec<Self> {
        Stall::ALL.into_iter().filter_map(|stall| Self::new(file, stall)).collect()
    }

    fn new(path: &Path, stall: Stall) -> Option<Self> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::empty()).ok()?;
        let (line, limit) = stall.limit();
        let before = total(path, line)?;
        // The kernel wants the zero at the end.
        let wanted = format!("{line} {limit} {WINDOW_US}\0");
        rustix::io::write(&file, wanted.as_bytes()).ok()?;
        Some(Self { stall, file, path: path.to_owned(), before })
    }

    /// Whether there were as many stalls, since it was set, as it takes to fire once.
    pub(super) fn is_plausible(&self) -> bool {
        let (line, limit) = self.stall.limit();
        total(&self.path, line).is_none_or(|now| now.saturating_sub(self.before) >= limit.into())
    }
}

impl AsFd for Trigger {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The level by the average share of the last ten seconds, by the same limits.
pub(super) fn average(file: &Path) -> Option<PressureLevel> {
    parse(&std::fs::read_to_string(file).ok()?)
}

/// Microseconds of all stalls, by the name of their line.
fn total(file: &Path, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Of lines like `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`.
fn parse(text: &str) -> Option<PressureLevel> {
    let share = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let word = line.split_whitespace().find_map(|word| word.strip_prefix("avg10="))?;
        word.parse().ok()
    };
    share("some")?;
    let reached = |stall: &Stall| {
        let (line, limit) = stall.limit();
        let percent = 100.0 * f64::from(limit) / f64::from(WINDOW_US);
        share(line).is_some_and(|share| share >= percent)
    };
    Some(Stall::ALL.into_iter().filter(reached).map(Stall::level).max().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_levels() {
        let text = |some: &str, full: &str| {
            format!("some avg10={some} avg60=0.00 total=9\nfull avg10={full} avg60=9.00 total=9\n")
        };
        for (some, full, level) in [
            ("0.00", "0.00", PressureLevel::Normal),
            ("7.49", "7.49", PressureLevel::Normal),
            ("7.50", "0.00", PressureLevel::Warning),
            ("20.00", "1.00", PressureLevel::Urgent),
            ("90.10", "7.50", PressureLevel::Critical),
        ] {
            assert_eq!(parse(&text(some, full)), Some(level), "{some} {full}");
        }
        assert_eq!(parse(""), None);
        assert_eq!(parse("some avg10=x"), None);
    }

    #[test]
    fn a_trigger_is_not_believed_before_there_were_enough_stalls() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let write = |full: u64| {
            let text = format!("some avg10=0.00 total=9000000\nfull avg10=0.00 total={full}\n");
            std::fs::write(file.path(), text).expect("it is ours");
        };
        write(5_000_000);
        let all = Trigger::new(file.path(), Stall::All).expect("an ordinary file takes it");
        for (full, plausible) in [(5_000_000, false), (5_149_999, false), (5_150_000, true)] {
            write(full);
            assert_eq!(all.is_plausible(), plausible, "{full}");
        }
    }

    #[test]
    fn the_kernel_takes_the_triggers() {
        let file = Path::new(super::super::PRESSURE);
        if !file.exists() {
            return eprintln!("skipped: the kernel has no pressure stall information");
        }
        if open(file, OFlags::RDWR, Mode::empty()).is_err() {
            return eprintln!("skipped: {} cannot be opened for triggers", file.display());
        }
        assert_eq!(Trigger::all(file).len(), Stall::ALL.len());
    }
}

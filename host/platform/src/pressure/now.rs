//! The level at this moment, cheaply.

use super::{PressureLevel, sys};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// For how long a level that was found out is good enough.
const FRESH: Duration = Duration::from_secs(1);

/// The level that was found out last, in the low byte, and above it when that was: milliseconds
/// since `BEGIN`, and one. Zero: never.
static LAST: AtomicU64 = AtomicU64::new(0);
static BEGIN: OnceLock<Instant> = OnceLock::new();

/// How short memory is now, or was a second ago at most: an atomic load while a
/// [`PressureMonitor`](super::PressureMonitor) runs or the answer is that fresh, else a few small
/// reads. Normal if the system does not tell.
pub fn current_level() -> PressureLevel {
    let last = LAST.load(Ordering::Relaxed);
    if let Some(then) = (last >> 8).checked_sub(1)
        && Duration::from_millis(milliseconds().saturating_sub(then)) < FRESH
    {
        return PressureLevel::ALL[(last & 3) as usize];
    }
    let level = sys::sample();
    publish(level);
    level
}

/// How short of memory the machine is, by the one thing that is read the fastest: on Linux what
/// is available to all of it, on macOS the kernel's level. For who looks once and has no time: of
/// a control group's limit and of stalls [`current_level`] knows more.
pub fn level_at_a_glance() -> PressureLevel {
    sys::glance()
}

/// Makes a level the one that is known.
pub(super) fn publish(level: PressureLevel) {
    LAST.store((milliseconds() + 1) << 8 | level as u64, Ordering::Relaxed);
}

fn milliseconds() -> u64 {
    let since = BEGIN.get_or_init(Instant::now).elapsed();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX >> 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_published_is_current() {
        for level in PressureLevel::ALL {
            publish(level);
            assert_eq!(current_level(), level);
        }
        LAST.store(0, Ordering::Relaxed);
    }
}

//! Time that never goes back.
//!
//! `std::time::Instant` is the system's own: `mach_absolute_time` in other units on macOS
//! (`clock_gettime_nsec_np(CLOCK_UPTIME_RAW)`), `CLOCK_MONOTONIC` on Linux, which both stand
//! still while the machine sleeps. This adds numbers that other processes understand.

use std::time::Duration;

/// Nanoseconds since some moment before this process, the same for all processes of this
/// machine.
pub fn monotonic_nanoseconds() -> u64 {
    let clock = if cfg!(target_os = "macos") { MACOS_UPTIME_RAW } else { libc::CLOCK_MONOTONIC };
    // SAFETY: an all-zero `timespec` is valid.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: writes one structure. The clock exists on every system that this is made for, so
    // that the call cannot fail.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    nanoseconds(time)
}

/// 0 for a time before 0, which the clock does not show.
fn nanoseconds(time: libc::timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// `CLOCK_UPTIME_RAW` of `time.h`: `mach_absolute_time` in nanoseconds.
const MACOS_UPTIME_RAW: libc::clockid_t = 8;

/// The smallest step that the clock was seen to make, as an estimate of what it can tell apart.
pub fn resolution() -> Duration {
    let mut least = u64::MAX;
    for _ in 0..64 {
        let start = monotonic_nanoseconds();
        let step = std::iter::repeat_with(monotonic_nanoseconds).find(|now| *now > start);
        least = least.min(step.map_or(u64::MAX, |now| now - start));
    }
    Duration::from_nanos(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn seconds_count() {
        // SAFETY: an all-zero `timespec` is valid.
        let mut time: libc::timespec = unsafe { std::mem::zeroed() };
        (time.tv_sec, time.tv_nsec) = (2, 5);
        assert_eq!(nanoseconds(time), 2_000_000_005);
    }

    #[test]
    fn it_goes_as_fast_as_instants_do() {
        let (start, mark) = (Instant::now(), monotonic_nanoseconds());
        std::thread::sleep(Duration::from_millis(20));
        let (ours, theirs) = (monotonic_nanoseconds() - mark, start.elapsed());
        let apart = Duration::from_nanos(ours).abs_diff(theirs);
        assert!(apart < Duration::from_millis(10), "{ours} ns against {theirs:?}");
    }

    #[test]
    fn it_tells_microseconds_apart() {
        assert!(resolution() < Duration::from_micros(100));
    }
}

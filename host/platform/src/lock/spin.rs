//! How long to try before going to sleep.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::available_parallelism;

/// How often a thread tries to take a lock that another holds before it sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpinPolicy {
    /// It sleeps at once: for locks that are held for long.
    #[default]
    None,
    /// So many times.
    Fixed(u32),
    /// A little more often than it took in the past, up to a bound.
    Adaptive,
}

/// The most that an adaptive lock tries.
const ADAPTIVE_MAX: u32 = 100;

/// A policy, and what it learned.
#[derive(Debug)]
pub(super) struct Spinner {
    policy: SpinPolicy,
    /// How many tries it takes, about.
    usual: AtomicU32,
}

impl Spinner {
    pub(super) const fn new(policy: SpinPolicy) -> Self {
        Self { policy, usual: AtomicU32::new(0) }
    }

    /// Tries until it succeeds or the policy has enough of it; returns whether it succeeded.
    pub(super) fn spin(&self, attempt: impl FnMut() -> bool) -> bool {
        match self.policy {
            SpinPolicy::None => false,
            SpinPolicy::Fixed(times) => several() && tries(times, attempt).is_some(),
            SpinPolicy::Adaptive => {
                let usual = self.usual.load(Ordering::Relaxed);
                let limit = (2 * usual + 10).min(ADAPTIVE_MAX);
                if !several() {
                    return false;
                }
                let took = tries(limit, attempt);
                let now = took.unwrap_or(limit);
                // An eighth of the way to what it took this time. Another thread's lesson may
                // be lost; it is a guess anyhow.
                let learned = if now > usual {
                    usual + (now - usual).div_ceil(8)
                } else {
                    usual - (usual - now).div_ceil(8)
                };
                self.usual.store(learned, Ordering::Relaxed);
                took.is_some()
            }
        }
    }
}

/// Tries so many times; returns after how many it succeeded.
fn tries(times: u32, mut attempt: impl FnMut() -> bool) -> Option<u32> {
    (0..times).find(|_| {
        std::hint::spin_loop();
        attempt()
    })
}

/// Whether another processor could give the lock back meanwhile.
fn several() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| available_parallelism().is_ok_and(|number| number.get() > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a policy tries in vain.
    fn in_vain(spinner: &Spinner) -> u32 {
        let mut count = 0;
        assert!(!spinner.spin(|| {
            count += 1;
            false
        }));
        count
    }

    #[test]
    fn a_policy_bounds_the_tries() {
        assert_eq!(in_vain(&Spinner::new(SpinPolicy::None)), 0);
        if !several() {
            return eprintln!("skipped: with one processor nothing spins");
        }
        assert_eq!(in_vain(&Spinner::new(SpinPolicy::Fixed(7))), 7);
        let mut left = 3;
        let third = || {
            left -= 1;
            left == 0
        };
        assert!(Spinner::new(SpinPolicy::Fixed(7)).spin(third));
        assert_eq!(left, 0, "and no more once it succeeded");
    }

    #[test]
    fn adaptive_learns_both_ways() {
        if !several() {
            return eprintln!("skipped: with one processor nothing spins");
        }
        let spinner = Spinner::new(SpinPolicy::Adaptive);
        let first = in_vain(&spinner);
        let later = (0..100).map(|_| in_vain(&spinner)).last();
        assert_eq!((first, later), (10, Some(ADAPTIVE_MAX)));
        (0..100).for_each(|_| assert!(spinner.spin(|| true)));
        assert_eq!(in_vain(&spinner), 10, "it is taken at once these days");
    }
}

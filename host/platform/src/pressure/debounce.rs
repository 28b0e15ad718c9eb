//! Which changes of the level are news.

use super::PressureLevel;
use std::time::{Duration, Instant};

/// Passes a rise on at once, and a fall when it has lasted: memory that comes and goes must not
/// fill and empty caches in turn.
#[derive(Debug)]
pub(super) struct Debouncer {
    settle: Duration,
    reported: PressureLevel,
    falling: Option<Fall>,
}

#[derive(Clone, Copy, Debug)]
struct Fall {
    since: Instant,
    /// The worst level since then.
    worst: PressureLevel,
}

impl Debouncer {
    /// Begins at the normal level. A fall counts when it has lasted `settle`.
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, reported: PressureLevel::Normal, falling: None }
    }

    /// The level that was passed on last.
    pub(super) fn level(&self) -> PressureLevel {
        self.reported
    }

    /// Takes note of the level at a time, and says it if it is news.
    pub(super) fn observe(&mut self, level: PressureLevel, now: Instant) -> Option<PressureLevel> {
        if level >= self.reported {
            self.falling = None;
            let news = level > self.reported;
            self.reported = level;
            return news.then_some(level);
        }
        let Fall { since, worst } = self.falling.unwrap_or(Fall { since: now, worst: level });
        let worst = worst.max(level);
        if now.duration_since(since) < self.settle {
            self.falling = Some(Fall { since, worst });
            return None;
        }
        // What is below the worst has not lasted.
        self.falling = (level < worst).then_some(Fall { since: now, worst: level });
        self.reported = worst;
        Some(worst)
    }
}

#[cfg(test)]
mod tests {
    use super::PressureLevel::{Critical, Normal, Urgent, Warning};
    use super::*;

    /// What is news of levels that are seen at so many milliseconds, if a fall lasts 100.
    fn news(seen: &[(u64, PressureLevel)]) -> Vec<(u64, PressureLevel)> {
        let start = Instant::now();
        let mut debouncer = Debouncer::new(Duration::from_millis(100));
        seen.iter()
            .filter_map(|(at, level)| {
                let now = start + Duration::from_millis(*at);
                debouncer.observe(*level, now).map(|level| (*at, level))
            })
            .collect()
    }

    #[test]
    fn a_rise_is_news_at_once_and_only_once() {
        let seen = [(0, Normal), (1, Warning), (2, Warning), (3, Critical), (4, Critical)];
        assert_eq!(news(&seen), [(1, Warning), (3, Critical)]);
    }

    #[test]
    fn a_fall_is_news_when_it_lasted() {
        let seen = [(0, Urgent), (10, Normal), (60, Normal), (109, Normal), (110, Normal)];
        assert_eq!(news(&seen), [(0, Urgent), (110, Normal)]);
    }

    #[test]
    fn what_comes_and_goes_is_no_fall() {
        let seen: Vec<_> =
            (0..100).map(|at| (at * 10, if at % 3 == 0 { Critical } else { Normal })).collect();
        assert_eq!(news(&seen), [(0, Critical)]);
    }

    #[test]
    fn a_fall_goes_no_deeper_than_its_worst() {
        let seen = [
            (0, Critical),
            (10, Normal),
            (50, Warning),
            (110, Normal),
            (150, Normal),
            (210, Normal),
        ];
        assert_eq!(news(&seen), [(0, Critical), (110, Warning), (210, Normal)]);
    }
}

//! `Log`: lines from the guest for the host's log, by `tracing`, rate-limited.

use super::{Outcome, text};
use std::time::{Duration, Instant};
use wrt_abi::{LogLevel, Status};

/// Lines that a VM may log in a [`WINDOW`]; the rest is dropped and counted.
const LINES: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// A VM's log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    window: Option<Instant>,
    lines: u32,
    dropped: u64,
}

impl Log {
    /// Logs one line.
    pub(super) fn line(&mut self, level: u64, bytes: &[u8]) -> Outcome {
        let Ok(level) = LogLevel::try_from(level) else {
            return Outcome::status(Status::Invalid, 0);
        };
        if !self.admit(Instant::now()) {
            return Outcome::status(Status::Refused, 0);
        }
        let line = text::printable_line(bytes);
        match level {
            LogLevel::Error => tracing::error!(target: "guest", "{line}"),
            LogLevel::Warn => tracing::warn!(target: "guest", "{line}"),
            LogLevel::Info => tracing::info!(target: "guest", "{line}"),
            LogLevel::Debug => tracing::debug!(target: "guest", "{line}"),
        }
        Outcome::status(Status::Ok, 0)
    }

    fn admit(&mut self, now: Instant) -> bool {
        if self.window.is_none_or(|start| now.duration_since(start) >= WINDOW) {
            if self.dropped > 0 {
                tracing::warn!(target: "guest", "{} lines dropped", self.dropped);
            }
            (self.window, self.lines, self.dropped) = (Some(now), 0, 0);
        }
        let admitted = self.lines < LINES;
        if admitted {
            self.lines += 1;
        } else {
            self.dropped += 1;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_the_next_second_is_not() {
        let mut log = Log::default();
        let start = Instant::now();
        let admitted = (0..10_000).filter(|_| log.admit(start)).count();
        assert_eq!(admitted, LINES as usize);
        assert!(log.admit(start + WINDOW));
    }
}

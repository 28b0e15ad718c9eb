//! What guests log: data, and not too much of it.

use super::GUEST;
use crate::text::line_of;
use std::time::{Duration, Instant};
use tracing::{Level, enabled, event};

/// How much a guest may log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestLimits {
    /// Lines in a second.
    pub lines: u32,
    /// Bytes of a line.
    pub line_bytes: usize,
}

impl Default for GuestLimits {
    /// 100 lines a second of at most 4 KiB.
    fn default() -> Self {
        Self { lines: 100, line_bytes: 4096 }
    }
}

/// Whether a guest's words are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redaction {
    /// As they are, made printable.
    #[default]
    Shown,
    /// Only how long they are.
    Hidden,
}

/// The log of one guest. Lines beyond its limits are counted, and the count is logged when
/// there is room again and at the end.
#[derive(Debug)]
pub struct GuestLog {
    vm: u64,
    limits: GuestLimits,
    redaction: Redaction,
    program: Option<String>,
    window: Option<Instant>,
    used: u32,
    dropped: u64,
}

impl GuestLog {
    /// The log of the guest in this VM.
    pub fn new(vm: u64, limits: GuestLimits, redaction: Redaction) -> Self {
        Self { vm, limits, redaction, program: None, window: None, used: 0, dropped: 0 }
    }

    /// Whether somebody wants lines of this level.
    pub fn is_wanted(level: Level) -> bool {
        match level {
            Level::ERROR => enabled!(target: GUEST, Level::ERROR),
            Level::WARN => enabled!(target: GUEST, Level::WARN),
            Level::INFO => enabled!(target: GUEST, Level::INFO),
            Level::DEBUG => enabled!(target: GUEST, Level::DEBUG),
            Level::TRACE => enabled!(target: GUEST, Level::TRACE),
        }
    }

    /// Names the program whose lines are logged from now on.
    pub fn set_program(&mut self, name: Option<&str>) {
        self.report();
        self.program = name.map(str::to_owned);
    }

    /// The guest logs a line now.
    pub fn line(&mut self, level: Level, text: &[u8]) {
        self.line_at(Instant::now(), level, text);
    }

    /// The guest logs a line at some time, which does not go back.
    pub fn line_at(&mut self, now: Instant, level: Level, text: &[u8]) {
        let over = |start: Instant| now.saturating_duration_since(start) >= Duration::from_secs(1);
        if self.window.is_none_or(over) {
            self.report();
            (self.window, self.used) = (Some(now), 0);
        }
        if self.used >= self.limits.lines {
            self.dropped += 1;
            return;
        }
        self.used += 1;
        let (vm, program) = (self.vm, self.program.as_deref());
        let message = match self.redaction {
            Redaction::Shown => line_of(text, self.limits.line_bytes),
            Redaction::Hidden => format!("<{} bytes>", text.len()),
        };
        // Its level is the guest's to choose, so it cannot be one that callers rely on.
        match level {
            Level::ERROR => event!(target: GUEST, Level::ERROR, vm, program, "{message}"),
            Level::WARN => event!(target: GUEST, Level::WARN, vm, program, "{message}"),
            Level::INFO => event!(target: GUEST, Level::INFO, vm, program, "{message}"),
            Level::DEBUG => event!(target: GUEST, Level::DEBUG, vm, program, "{message}"),
            Level::TRACE => event!(target: GUEST, Level::TRACE, vm, program, "{message}"),
        }
    }

    /// Lines that were not logged and not yet reported.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn report(&mut self) {
        let (vm, program) = (self.vm, self.program.as_deref());
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            event!(
                target: GUEST,
                Level::WARN,
                vm,
                program,
                dropped,
                "lines were left out: too many"
            );
        }
    }
}

impl Drop for GuestLog {
    fn drop(&mut self) {
        self.report();
    }
}

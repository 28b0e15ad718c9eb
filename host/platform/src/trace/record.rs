//! Intervals, events and values by name.

use super::{TARGET, sys};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::{Level, Span};

/// Names what happens in one part of a program.
#[derive(Debug)]
pub struct Recorder {
    system: sys::Signposts,
    subsystem: &'static str,
}

/// An interval that has begun; it ends when this goes, on whatever thread.
#[derive(Debug)]
#[must_use = "an interval ends when it is dropped"]
pub struct Interval<'r> {
    recorder: &'r Recorder,
    name: &'static str,
    id: u64,
    span: Span,
}

/// Numbers of intervals, distinct in this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Recorder {
    /// A recorder for this part, by a reverse domain name.
    pub fn new(subsystem: &'static str) -> Self {
        Self { system: sys::Signposts::new(subsystem), subsystem }
    }

    /// An interval begins. Intervals of one name may overlap.
    pub fn begin(&self, name: &'static str) -> Interval<'_> {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.system.begin(name, id);
        let subsystem = self.subsystem;
        let span = tracing::span!(target: TARGET, Level::TRACE, "interval", name, subsystem);
        Interval { recorder: self, name, id, span }
    }

    /// Something happens.
    pub fn event(&self, name: &'static str) {
        self.system.event(name);
        let subsystem = self.subsystem;
        tracing::event!(target: TARGET, Level::TRACE, event = name, subsystem);
    }

    /// A number is what it is from now on: drawn as a graph.
    pub fn value(&self, name: &'static str, value: f64) {
        self.system.value(name, value);
        tracing::event!(target: TARGET, Level::TRACE, counter = name, value);
    }

    /// An interval as long as `run` runs, on this thread.
    pub fn interval<R>(&self, name: &'static str, run: impl FnOnce() -> R) -> R {
        /// Ends by panic, too.
        struct End<'r>(&'r Recorder, &'static str, u64);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.system.end(self.1, self.2);
            }
        }
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.system.begin(name, id);
        let _end = End(self, name, id);
        let subsystem = self.subsystem;
        tracing::span!(target: TARGET, Level::TRACE, "scope", name, subsystem).in_scope(run)
    }
}

impl Interval<'_> {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The span of it, as the parent of others.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Ends it.
    pub fn end(self) {}
}

impl Drop for Interval<'_> {
    fn drop(&mut self) {
        self.recorder.system.end(self.name, self.id);
    }
}

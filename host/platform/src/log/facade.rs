//! Messages with a subsystem and a category.

use super::TARGET;
use std::fmt::Display;
use tracing::{Level, Span, event, span};

/// A log of one category of one part of a program.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    subsystem: &'static str,
    category: &'static str,
}

/// Something that messages can belong to, on several threads.
#[derive(Clone, Debug)]
pub struct Activity(Span);

/// An activity goes on, on this thread, until this goes.
#[derive(Debug)]
#[must_use = "an activity is left when this is dropped"]
pub struct Entered<'a>(#[expect(dead_code, reason = "held")] tracing::span::Entered<'a>);

impl Log {
    /// A log: a reverse domain name, and a word.
    pub const fn new(subsystem: &'static str, category: &'static str) -> Self {
        Self { subsystem, category }
    }

    /// What is always worth keeping.
    pub fn default(&self, message: impl Display) {
        let (subsystem, category) = (self.subsystem, self.category);
        event!(target: TARGET, Level::INFO, subsystem, category, kind = "default", "{message}");
    }

    /// What helps, but is not needed.
    pub fn info(&self, message: impl Display) {
        let (subsystem, category) = (self.subsystem, self.category);
        event!(target: TARGET, Level::INFO, subsystem, category, "{message}");
    }

    /// What is for developers.
    pub fn debug(&self, message: impl Display) {
        let (subsystem, category) = (self.subsystem, self.category);
        event!(target: TARGET, Level::DEBUG, subsystem, category, "{message}");
    }

    /// This process failed at something.
    pub fn error(&self, message: impl Display) {
        let (subsystem, category) = (self.subsystem, self.category);
        event!(target: TARGET, Level::ERROR, subsystem, category, "{message}");
    }

    /// The system, or the program itself, is wrong.
    pub fn fault(&self, message: impl Display) {
        let (subsystem, category) = (self.subsystem, self.category);
        event!(target: TARGET, Level::ERROR, subsystem, category, kind = "fault", "{message}");
    }

    /// An activity of this name.
    pub fn create_activity(&self, name: &'static str) -> Activity {
        let (subsystem, category) = (self.subsystem, self.category);
        Activity(span!(target: TARGET, Level::INFO, "activity", name, subsystem, category))
    }
}

impl Activity {
    /// The activity goes on, on this thread.
    pub fn enter(&self) -> Entered<'_> {
        Entered(self.0.enter())
    }
}

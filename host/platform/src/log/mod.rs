//! The log, for Console.app, for the journal, for people.
//!
//! `tracing` is the facade: events are messages, spans are activities. A [`Log`] adds what
//! `os_log` has and `tracing` lacks: a subsystem and a category, and faults. Layers take it
//! from there:
//!
//! | | Linux | macOS |
//! |---|---|---|
//! | [`system_layer`] | journald, where it runs | `os_log` |
//! | [`StderrLayer`] | lines, or lines of JSON | the same |
//!
//! What a guest logs goes through a [`GuestLog`]: bounded, escaped, counted where too much.
//! Nobody's text is a format.

mod facade;
mod guest;
mod stderr;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("logs are those of Linux and macOS");

pub use facade::{Activity, Entered, Log};
pub use guest::{GuestLimits, GuestLog, Redaction};
pub use stderr::{Format, StderrLayer, note};
pub use sys::{SystemLayer, system_layer};

use crate::availability::Availability;

/// The target under which a [`Log`] speaks to `tracing`.
pub const TARGET: &str = "wrt_log";
/// The target of what guests log.
pub const GUEST: &str = "guest";

/// What of it this machine offers.
pub fn availability() -> Availability {
    sys::availability()
}

//! What a program does, over time, for Instruments, for `perf` and `bpftrace`, and for
//! Perfetto.
//!
//! | | Linux | macOS |
//! |---|---|---|
//! | live | USDT probes of provider `wrt`: `begin`, `end`, `event`, `value` | `os_signpost` |
//! | to a file | [`file_layer`]: Chrome's trace format, which ui.perfetto.dev opens | the same |
//!
//! A [`Recorder`] names intervals, events and values. All of it, and every span of `tracing`,
//! also goes to whoever listens there. With nobody listening it costs an atomic load and, on
//! Linux, a `nop` (`benches/costs`).

mod chrome;
mod record;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
mod system;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("traces are made for Linux and macOS");

pub(crate) use chrome::finish_all_at_once;
pub use chrome::{ChromeLayer, FileLayer, MAX_BYTES, TraceFile, file_layer};
pub use record::{Interval, Recorder};
pub use system::{SystemLayer, system_layer};

use crate::availability::Availability;

/// The target under which a [`Recorder`] speaks to `tracing`.
pub const TARGET: &str = "wrt_trace";

/// What of it this machine offers.
pub fn availability() -> Availability {
    Availability {
        system: "trace",
        available: true,
        how: format!("{}; Chrome's trace format", sys::HOW),
        missing: None,
        remedy: None,
    }
}

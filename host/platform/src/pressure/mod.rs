//! Memory pressure: how short of memory the machine is, or the group of processes that this one
//! is confined to.
//!
//! [`current_level`] answers at any time; a [`PressureMonitor`] calls handlers when it changes.
//!
//! macOS tells (a dispatch source). On Linux it is the worst of what is there: pressure-stall
//! triggers (`/proc/pressure/memory` and the control group's `memory.pressure`), the control
//! group's limit and events, and the memory that the kernel calls available.
//!
//! ```
//! use wrt_platform::pressure::{PressureLevel, PressureMonitor, current_level};
//!
//! # fn main() -> Result<(), wrt_platform::pressure::PressureError> {
//! let monitor = PressureMonitor::new();
//! monitor.on_pressure(|level| {
//!     if level >= PressureLevel::Urgent {
//!         wrt_platform::memory::purge_all();
//!     }
//! });
//! monitor.start()?;
//! assert!(current_level() <= PressureLevel::Critical);
//! # Ok(())
//! # }
//! ```

mod debounce;
mod monitor;
mod now;
#[cfg_attr(target_os = "linux", path = "linux/mod.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod sys;

pub use monitor::{PressureError, PressureMonitor};
pub use now::{current_level, level_at_a_glance};

use crate::availability::Availability;
use std::time::Duration;

/// How short memory is. Levels are ordered: more is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PressureLevel {
    /// There is enough.
    #[default]
    Normal,
    /// Make caches smaller.
    Warning,
    /// Drop all that can be made anew.
    Urgent,
    /// Begin nothing new: processes are about to be killed.
    Critical,
}

impl PressureLevel {
    const ALL: [Self; 4] = [Self::Normal, Self::Warning, Self::Urgent, Self::Critical];
}

impl std::fmt::Display for PressureLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Warning => "warning",
            Self::Urgent => "urgent",
            Self::Critical => "critical",
        })
    }
}

/// Something that knows the level.
trait Source: Send {
    /// Waits until the level may have changed, for `limit` at most, and says what it is.
    fn wait(&mut self, limit: Duration) -> PressureLevel;
}

/// Bytes of memory that the group of processes may have which this one is confined to: on Linux the
/// control group, as of a container. `None` without a limit.
pub fn memory_limit() -> Option<u64> {
    sys::memory_limit()
}

/// How memory pressure stands on this machine.
pub fn availability() -> Availability {
    sys::availability()
}

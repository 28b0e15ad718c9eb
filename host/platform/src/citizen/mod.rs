//! Being a good citizen: telling the system what matters, and knowing what the machine is.
//!
//! | | Linux | macOS |
//! |---|---|---|
//! | [`Activity`] | the thread's timer slack | `NSProcessInfo` activity: no App Nap |
//! | [`set_thread_qos`] | niceness and `SCHED_BATCH`, `SCHED_IDLE` | QoS class |
//! | [`facts`] | sysfs, limits | `sysctl` |

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("good citizens live on Linux and macOS");

use crate::availability::Availability;
use std::io;
use std::marker::PhantomData;

/// How much an activity matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody waits for it: no App Nap, no sudden end.
    UserInitiated,
    /// As above, and timers are to be exact, which costs energy.
    LatencyCritical,
    /// Nobody waits: the system may save energy.
    Background,
}

/// Something goes on that the system should know of, until this goes. On Linux it is about the
/// thread that began it, which has to end it.
#[derive(Debug)]
#[must_use = "an activity ends when it is dropped"]
pub struct Activity {
    #[expect(dead_code, reason = "held")]
    assertion: sys::Assertion,
    /// Not `Send`.
    thread: PhantomData<*const ()>,
}

impl Activity {
    /// It begins. `reason` is for people who look at why a machine does not sleep.
    ///
    /// # Errors
    ///
    /// When the system does not take the hint.
    pub fn begin(kind: Kind, reason: &str) -> io::Result<Self> {
        Ok(Self { assertion: sys::Assertion::new(kind, reason)?, thread: PhantomData })
    }
}

/// What a thread's work is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// Whenever nothing else is to be done.
    Background,
    /// Somebody will want it, not now.
    Utility,
    /// Nothing is known.
    Default,
    /// Somebody waits.
    UserInitiated,
    /// Somebody watches.
    UserInteractive,
}

/// Sets what the calling thread's work is for.
///
/// # Errors
///
/// On Linux, when it should matter more than it does and the process has no right to that
/// (`RLIMIT_NICE`); on macOS, when the thread has left the system of classes.
pub fn set_thread_qos(qos: Qos) -> io::Result<()> {
    sys::set_thread_qos(qos)
}

/// Cores that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores {
    /// As the system calls them: `Performance`, `Efficiency`, `capacity 1024`, `all`.
    pub name: String,
    /// How many.
    pub count: usize,
}

/// In which order other cores see a core's stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryOrder {
    /// In the order of the program (x86).
    TotalStore,
    /// In any, unless told; the machine offers the other to translated programs (Apple).
    WeakWithTotalStoreOffered,
    /// In any, unless told.
    Weak,
}

/// What the machine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Kinds of cores, the fastest first.
    pub cores: Vec<Cores>,
    /// Whether processor and GPU share their memory, if that is known.
    pub unified_memory: Option<bool>,
    /// Order of stores.
    pub memory_order: MemoryOrder,
    /// Bytes that this process may keep in memory (`mlock`), `None` for no limit or unknown.
    pub wired_limit: Option<u64>,
}

/// Looks at the machine.
pub fn facts() -> Facts {
    sys::facts()
}

/// What of it this machine offers.
pub fn availability() -> Availability {
    let cores: Vec<_> =
        facts().cores.iter().map(|cores| format!("{} {}", cores.count, cores.name)).collect();
    Availability {
        system: "citizen",
        available: true,
        how: format!("{}; cores: {}", sys::HOW, cores.join(", ")),
        missing: None,
        remedy: None,
    }
}

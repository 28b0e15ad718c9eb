//! Giving up, for ever, what a process does not need.
//!
//! A [`Profile`] says what to deny; [`Sandbox::enter`] has the system enforce it on this
//! process and says, part by part, what is [enforced](Enforced) and what this system cannot
//! do. There is no way back, and no way to widen it.
//!
//! | | Linux | macOS |
//! |---|---|---|
//! | files | Landlock | Seatbelt |
//! | names, sizes and times of files | an empty root directory (namespaces, or `chroot`) | Seatbelt |
//! | network | seccomp; Landlock (TCP) | Seatbelt |
//! | processes | seccomp; Landlock (execution) | Seatbelt |
//! | IPC | seccomp; Landlock (abstract sockets) | Seatbelt (Mach lookups, POSIX and SysV) |
//! | signals | seccomp; Landlock | Seatbelt |
//! | devices | Landlock (`ioctl` on devices opened later) | Seatbelt (IOKit) |
//! | system calls | seccomp: a list of what is allowed | — |
//! | privileges | `no_new_privs`, no capabilities | Seatbelt |
//! | limits | `setrlimit` | `setrlimit` |
//!
//! # What a process with virtual machines needs
//!
//! On Linux a list of system calls, each with the reason why it is made (`linux/groups.rs`): all
//! others are denied, those of kernels to come among them. The profile for it is
//!
//! ```no_run
//! # use wrt_platform::sandbox::{Profile, Sandbox};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let opened = std::fs::File::open("data")?;
//! let profile = Profile::builder()
//!     .deny_network()
//!     .deny_file_read_all()
//!     .deny_file_write_all()
//!     .allow_descriptor(&opened, true)
//!     .deny_paths()
//!     .deny_process_fork()
//!     .deny_process_exec()
//!     .deny_ipc()
//!     .deny_executable_memory()
//!     .allow_hypervisor()
//!     .build()?;
//! let enforced = Sandbox::enter(profile)?;
//! # Ok(()) }
//! ```
//!
//! # When to enter
//!
//! Everything opened before stays usable: descriptors of `/dev/kvm` and its VMs, the cache's
//! file, sockets. Enter before threads are made if possible: Landlock before Linux 7.0 binds
//! the calling thread and those it makes later, not its older siblings. (The filter of system
//! calls binds all, always.) What was left out is in [`Enforced`]. Where threads or children
//! must be made by calls that the filter would refuse, enter by
//! [halves](Sandbox::close_names).

mod enforced;
mod profile;
/// The macOS profile's text: pure, so that every system tests it.
#[cfg(any(target_os = "macos", test))]
mod sbpl;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("the sandbox is made for Linux and macOS");

pub use enforced::{Enforced, Part, State};
pub use profile::{Place, Profile, ProfileBuilder, ProfileError, Signal};

use crate::availability::Availability;
use std::io;

/// The process's own confinement.
#[derive(Debug)]
pub struct Sandbox(());

/// Why a sandbox could not be entered. Parts of it may be in force all the same: the process
/// should end.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A limit was refused.
    #[error("the system does not lower the limit of {what}: {error}")]
    Limit {
        /// Which.
        what: &'static str,
        /// `setrlimit(2)`.
        error: io::Error,
    },
    /// The rules for files, network and scopes were refused.
    #[error("the system does not take the rules for files: {0}")]
    Rules(String),
    /// The list of system calls was refused.
    #[error("the system does not take the list of system calls: {0}")]
    Calls(String),
    /// Seatbelt refused the profile.
    #[error("the system does not take the profile: {0}")]
    Profile(String),
}

impl Sandbox {
    /// Confines this process to `profile`, all its threads as far as the system can, for ever.
    ///
    /// Takes about 0.2 ms on Linux, three times as long where paths are denied
    /// (`benches/costs`).
    ///
    /// # Errors
    ///
    /// When the system refuses what it should be able to do. What it is too old for is no
    /// error but [said](Enforced).
    pub fn enter(profile: Profile) -> Result<Enforced, SandboxError> {
        Self::close_names(profile)?.close_calls()
    }

    /// Enters the first half: what has a name can be opened only where the profile says so, by
    /// this thread and those that it makes. System calls stay as they are until
    /// [`Closing::close_calls`], so that threads and children which do their work inside can
    /// be made meanwhile. On macOS there are no halves: all is entered by the second.
    ///
    /// # Errors
    ///
    /// As [`Self::enter`].
    pub fn close_names(mut profile: Profile) -> Result<Closing, SandboxError> {
        let names = sys::close_names(&mut profile)?;
        Ok(Closing { profile, names })
    }
}

/// A sandbox of which a first half is entered.
#[derive(Debug)]
#[must_use = "half a sandbox keeps nobody in"]
pub struct Closing {
    profile: Profile,
    names: sys::Names,
}

impl Closing {
    /// As [`ProfileBuilder::allow_trace`], of children made since.
    pub fn allow_trace(mut self, children: &[u32]) -> Self {
        self.profile.traced.extend_from_slice(children);
        self
    }

    /// The places that the profile allows, in the order in which they were named, if they have to
    /// be used by these descriptors: paths lead to them no more.
    pub fn places(&self) -> Option<&[Place]> {
        sys::are_places_usable(&self.names).then_some(&self.profile.places)
    }

    /// Enters the second half.
    ///
    /// # Errors
    ///
    /// As [`Sandbox::enter`].
    pub fn close_calls(self) -> Result<Enforced, SandboxError> {
        sys::close_calls(&self.profile, &self.names)
    }
}

/// What of it this machine offers.
pub fn availability() -> Availability {
    sys::availability()
}

//! The operating system behind one portable face, as far as wrt-vm needs it.
//!
//! One folder or file a system; nothing above this crate says `cfg(target_os)`.

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("wrt-platform knows Linux and macOS: give each folder a file for this system");

pub mod apple;
pub mod availability;
pub mod children;
pub mod citizen;
pub mod clock;
pub mod code;
pub mod copy;
pub mod descriptors;
pub mod dispatch;
pub mod entitlements;
mod fields;
pub mod files;
pub mod interrupt;
pub mod lock;
pub mod log;
pub mod memory;
#[cfg(target_os = "macos")]
mod os_log;
pub mod pressure;
pub mod sandbox;
pub mod signal;
pub mod socket;
pub mod stdio;
pub mod text;
pub mod trace;
pub mod vector;
pub mod wake;

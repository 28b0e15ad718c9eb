//! The operating system behind one portable face, as far as wrt-vm needs it.
//!
//! One folder or file a system; nothing above this crate says `cfg(target_os)`.

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("wrt-platform knows Linux and macOS: give each folder a file for this system");

pub mod apple;
pub mod availability;
pub mod dispatch;
pub mod lock;
pub mod memory;
pub mod pressure;
pub mod signal;
pub mod socket;

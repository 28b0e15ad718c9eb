//! What systems do with open files under different names.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("files are those of Linux and macOS");

pub use sys::{Advice, NAMED, RENAME_FOLLOWS_LINKS, advise, set_times_of_named};

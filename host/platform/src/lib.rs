//! The operating system behind one portable face, as far as wrt-vm needs it.
//!
//! One folder or file a system; nothing above this crate says `cfg(target_os)`.

pub mod memory;
pub mod signal;

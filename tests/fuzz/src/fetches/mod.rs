//! The dispatcher under a guest that changes each byte of the mailbox as soon as the host has
//! read it, as a second processor could; the host must read no byte twice in one call, and what
//! it wrote itself (its response, the page tables) not at all.
//!
//! The guest is [`crate::dispatcher`]'s, and so is the host: production code, with the machine
//! instructions that it is compiled to. [`watch`] says how they are watched. Linear memory, which
//! a WASI call works on as a slice, is not watched: `SECURITY.md` says why.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod watch;

use crate::dispatcher;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    if let Some(case) = crate::input(data) {
        dispatcher::run(&case, true);
    }
}

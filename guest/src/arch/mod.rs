//! What differs between processors: entry, trapping instruction, privileged stub.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "aarch64")]
pub use aarch64::*;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

// The linker reads it; cargo, which does not know that, links anew when it changes.
const _: &str = include_str!("link.ld");

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!("the guest kernel has no port to this architecture");

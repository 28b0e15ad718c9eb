//! What differs between processors: entry, trapping instruction, privileged stub.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{set_trap, trap_to_host};

#[cfg(not(target_arch = "x86_64"))]
compile_error!("the guest kernel has no port to this architecture");

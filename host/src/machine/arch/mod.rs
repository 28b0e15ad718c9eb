//! What differs between processors: page tables, descriptor tables, the boot state.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::*;

#[cfg(not(target_arch = "x86_64"))]
compile_error!("wrt-vm has no port to this architecture");

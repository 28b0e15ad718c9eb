//! Instructions by number, those of each processor.
//!
//! One table for the program that orders and the guest that obeys.

mod aarch64;
mod x86_64;

pub use aarch64::{Arm, ArmRegister};
pub use x86_64::X86;

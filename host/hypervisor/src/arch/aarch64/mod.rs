//! 64-bit Arm.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

mod exception;
mod paging;
#[cfg(any(target_arch = "aarch64", feature = "hvsim"))]
pub(crate) mod registers;

pub(super) use exception::describe_fault;
pub(super) use paging::FORMAT;

use super::SYSTEM_SIZE;
use wrt_abi::layout::arm;

/// Writes what the stub finds in SYSTEM, which is zero as yet. With `doorbell` it calls the
/// host by a store, else by `hvc`.
pub(super) fn build_system(system: &mut [u8; SYSTEM_SIZE], doorbell: bool) {
    let bell = if doorbell { arm::DOORBELL_BASE } else { 0 };
    for (at, word) in [(arm::SYSTEM_DOORBELL, bell), (arm::SYSTEM_UPKEEP, 1)] {
        let at = at as usize;
        system[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
}

//! What attacks on any guest have to know of its processor, and of the host's own.

mod aarch64;
mod x86_64;

use super::orders::Orders;
use std::ops::{Range, RangeInclusive};
use wrt_abi::cpu::Arch;
use wrt_tests::Setup;

#[cfg(target_arch = "aarch64")]
pub(crate) use aarch64::settings;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::settings;

/// A guest's processor.
pub(crate) struct Processor {
    pub(crate) arch: Arch,
    pub(crate) places: Places,
    /// How many instructions its table has.
    pub(crate) instructions: u32,
    /// What they are called.
    pub(crate) name: fn(u32) -> String,
    /// An instruction that there is not.
    pub(crate) undefined: u32,
    /// One that waits for an interrupt, in ring 0.
    pub(crate) wait: u32,
    /// One that takes another stack.
    pub(crate) set_stack: u32,
    /// Vector of the exception by an access, and by a fetch.
    pub(crate) access: u64,
    pub(crate) fetch: u64,
    /// Of one by an address that is none.
    pub(crate) no_address: RangeInclusive<u64>,
    /// A function that returns 7.
    pub(crate) seven: &'static [u8],
    /// Has page tables begin elsewhere.
    pub(crate) use_root: fn(Orders, u64) -> Orders,
}

/// Where things are in guest-physical memory. The guest could find out by trying; see
/// `host/src/machine/memory/core.rs`: page tables, SYSTEM, data, with guards between.
pub(crate) struct Places {
    /// The first page table, and what follows the last.
    pub(crate) tables: Range<u64>,
    /// Bytes of one.
    pub(crate) table: u64,
    pub(crate) system: u64,
    /// The image's data.
    pub(crate) data: u64,
    /// What no guest writes of the image.
    pub(crate) image: &'static [u64],
}

/// Guest-physical address of what no guest writes of the image, and is not copied.
pub(crate) const IMAGE_GPA: u64 = 0x4000_0000;
/// Guest-physical address of the first region's memory.
pub(crate) const CHUNKS_GPA: u64 = 1 << 32;

/// The processor of a setup's guests.
pub(crate) fn of(setup: Setup) -> &'static Processor {
    match setup.is_arm() {
        true => &aarch64::PROCESSOR,
        false => &x86_64::PROCESSOR,
    }
}

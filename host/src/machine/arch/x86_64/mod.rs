//! x86-64.

mod descriptors;
mod paging;

pub use descriptors::selectors;
pub(crate) use descriptors::{SYSTEM_SIZE, build_system, describe_exception};
pub(crate) use paging::{PageTables, TABLE_SIZE};

use crate::hypervisor::{Gpa, Gva};

/// Register values with which a guest starts; everything else is as after reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootState {
    /// First instruction, executed in ring 3.
    pub entry: Gva,
    /// Initial stack pointer.
    pub stack: Gva,
    /// Root of the page tables (CR3).
    pub page_tables: Gpa,
    /// Global descriptor table: address and limit.
    pub gdt: (Gva, u16),
    /// Interrupt descriptor table: address and limit.
    pub idt: (Gva, u16),
    /// Task state segment: address and limit.
    pub tss: (Gva, u16),
}

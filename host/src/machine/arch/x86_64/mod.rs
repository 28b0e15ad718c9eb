//! x86-64.

mod descriptors;
mod exception;
mod paging;

pub use descriptors::selectors;
pub(crate) use descriptors::{SYSTEM_SIZE, build_system};
pub(crate) use exception::{describe_fault, describe_report};
pub(crate) use paging::{PageTables, TABLE_SIZE};

use crate::hypervisor::{Gpa, Gva};

/// Register values with which a guest starts; everything else is as after reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootState {
    /// First instruction, executed in ring 3.
    pub entry: Gva,
    /// Initial stack pointer.
    pub stack: Gva,
    /// Where the guest takes its faults, for a backend without the stub that would see to it.
    pub faults: Option<FaultHandler>,
    /// Root of the page tables (CR3).
    pub page_tables: Gpa,
    /// Global descriptor table: address and limit.
    pub gdt: (Gva, u16),
    /// Interrupt descriptor table: address and limit.
    pub idt: (Gva, u16),
    /// Task state segment: address and limit.
    pub tss: (Gva, u16),
}

/// Where the runtime goes on after a fault, as the stub would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultHandler {
    /// Its first instruction.
    pub entry: Gva,
    /// Its stack pointer.
    pub stack: Gva,
}

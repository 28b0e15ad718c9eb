//! What differs between the guests' processors: page tables, privileged structures, the boot
//! state, the names of exceptions.
//!
//! A guest's processor is its backend's, not this program's: the simulated
//! Hypervisor.framework runs Arm guests on any machine. So all of them are always there.

pub(crate) mod aarch64;
mod paging;
#[cfg(test)]
pub(crate) mod reading;
mod x86_64;

pub(crate) use paging::{Format, OutOfTables, PageTables, Pool};
pub use x86_64::{Descriptors, selectors};

use crate::error::Exception;
use crate::hypervisor::{Fault, Gpa, Gva};
use crate::machine::image::Image;
use wrt_abi::cpu::Arch;
use wrt_abi::layout::STACK_TOP;

/// Bytes of the privileged structures, SYSTEM.
pub(crate) const SYSTEM_SIZE: usize = 0x4000;

/// Register values with which a guest starts; everything else is as after reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BootState {
    /// The runtime's first instruction.
    pub entry: Gva,
    /// Initial stack pointer.
    pub stack: Gva,
    /// Where the guest takes its faults, for a backend without the stub that would see to it.
    pub faults: Option<FaultHandler>,
    /// Root of the page tables (x86-64: CR3; Arm: TTBR0_EL1).
    pub page_tables: Gpa,
    /// Descriptor tables (x86-64).
    pub descriptors: Descriptors,
}

/// Where the runtime goes on after a fault, as the stub would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultHandler {
    /// Its first instruction.
    pub entry: Gva,
    /// Its stack pointer.
    pub stack: Gva,
}

/// How a processor's page tables look.
pub(crate) fn format(arch: Arch) -> &'static Format {
    match arch {
        Arch::X86_64 => &x86_64::FORMAT,
        Arch::Aarch64 => &aarch64::FORMAT,
    }
}

/// Writes the privileged structures into zeroed memory and says how a vCPU starts with them.
/// `doorbell` is whether an Arm guest has one.
pub(crate) fn build_system(
    system: &mut [u8; SYSTEM_SIZE],
    image: &Image<'_>,
    page_tables: Gpa,
    doorbell: bool,
) -> BootState {
    let descriptors = match image.arch {
        Arch::X86_64 => x86_64::build_system(system),
        Arch::Aarch64 => {
            aarch64::build_system(system, doorbell);
            Descriptors::default()
        }
    };
    BootState {
        entry: image.entry,
        stack: Gva(STACK_TOP),
        faults: image.faults,
        page_tables,
        descriptors,
    }
}

/// What the stub left in SYSTEM about an exception, where it does.
pub(crate) fn describe_report(system: &[u8; SYSTEM_SIZE]) -> Exception {
    x86_64::describe_report(system)
}

/// A fault that the backend itself has seen, or read from the processor's registers.
pub(crate) fn describe_fault(arch: Arch, fault: Fault) -> Exception {
    match arch {
        Arch::X86_64 => x86_64::describe_fault(fault),
        Arch::Aarch64 => aarch64::describe_fault(fault),
    }
}

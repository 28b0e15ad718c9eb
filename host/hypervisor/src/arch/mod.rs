//! The guest's side of a processor: addresses, page tables, privileged structures, the boot state,
//! exceptions. No backend is known here.
//!
//! A guest's processor is its backend's, not this program's: the simulated
//! Hypervisor.framework runs Arm guests on any machine. So all of them are always there.

pub(crate) mod aarch64;
mod address;
mod fault;
mod paging;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod reading;
mod x86_64;

pub use address::{Access, Gpa, Gva};
pub use fault::{Exception, Fault};
pub use paging::{Format, OutOfTables, PageTables, Pool};
pub use x86_64::{Descriptors, selectors};

use wrt_abi::cpu::Arch;

/// Bytes of the privileged structures, SYSTEM.
pub const SYSTEM_SIZE: usize = 0x4000;

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
pub fn format(arch: Arch) -> &'static Format {
    match arch {
        Arch::X86_64 => &x86_64::FORMAT,
        Arch::Aarch64 => &aarch64::FORMAT,
    }
}

/// Writes the privileged structures into zeroed memory and says where a vCPU finds its
/// descriptor tables. `doorbell` is whether an Arm guest has one.
pub fn build_system(system: &mut [u8; SYSTEM_SIZE], arch: Arch, doorbell: bool) -> Descriptors {
    match arch {
        Arch::X86_64 => x86_64::build_system(system),
        Arch::Aarch64 => {
            aarch64::build_system(system, doorbell);
            Descriptors::default()
        }
    }
}

/// What the stub left in SYSTEM about an exception, where it does.
pub fn describe_report(system: &[u8; SYSTEM_SIZE]) -> Exception {
    x86_64::describe_report(system)
}

/// A fault that the backend itself has seen, or read from the processor's registers.
pub fn describe_fault(arch: Arch, fault: Fault) -> Exception {
    match arch {
        Arch::X86_64 => x86_64::describe_fault(fault),
        Arch::Aarch64 => aarch64::describe_fault(fault),
    }
}

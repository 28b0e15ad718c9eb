//! Hypervisors behind one face: [`Hypervisor`] → [`Vm`] → [`Vcpu`] → [`Exit`].
//!
//! The traits are as small as the backends need: create, map host memory at guest-physical
//! addresses, set a boot state, run to an exit, kick from another thread. What an exit
//! *means* is decided above, in [`crate::machine`]. A backend without page tables translates
//! the guest's addresses itself ([`AddressSpace`]); one whose VMs belong to the thread that
//! made them says so ([`Hypervisor::binds_threads`]).

#[path = "arch/address.rs"]
mod address;
#[cfg(any(target_os = "macos", feature = "hvsim", test))]
mod apple;
#[cfg(any(target_arch = "aarch64", feature = "hvsim", feature = "fuzzing"))]
pub(crate) mod arm;
#[cfg(any(target_os = "macos", feature = "hvsim"))]
mod hvf;
#[cfg(target_os = "linux")]
pub(crate) mod kvm;
#[cfg(target_os = "linux")]
pub(crate) mod process;
mod select;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use crate::machine::arch::{BootState, Descriptors, FaultHandler};
pub use address::{Access, Gpa, Gva};
pub use select::{Availability, Backend, Opened, available, details};

use crate::worker::Workers;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use thiserror::Error;
use wrt_abi::cpu::{Arch, CpuFeatures};

/// A way to make VMs.
pub trait Hypervisor: Send + Sync {
    /// The name users select it by.
    fn name(&self) -> &'static str;

    /// The processor of its guests.
    fn arch(&self) -> Arch;

    /// Whether a VM belongs to the thread that made it: all of it must be used, and dropped,
    /// by that thread. A [`Kicker`] works from any.
    fn binds_threads(&self) -> bool {
        false
    }

    /// Whether a process can have one VM only: who wants more makes them in
    /// [workers](crate::worker).
    fn one_vm_a_process(&self) -> bool {
        false
    }

    /// The processes that have the VMs, if this one does not.
    fn workers(&self) -> Option<&Workers> {
        None
    }

    /// Another handle on the same hypervisor, for another thread.
    fn another(&self) -> Box<dyn Hypervisor>;

    /// What compiled code may use of a vCPU.
    fn code_features(&self) -> CpuFeatures;

    /// Makes a VM without memory or vCPU.
    ///
    /// # Errors
    ///
    /// When the system refuses one.
    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError>;

    /// Finds out whether VMs can be made.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create_vm`].
    fn probe(&self) -> Result<(), HypervisorError> {
        self.create_vm().map(drop)
    }
}

/// Memory to appear in a VM: RAM if the VM may write it, else bytes that the host has.
#[derive(Clone, Copy, Debug)]
pub struct Mapping {
    /// Where it appears, aligned to a page.
    pub gpa: Gpa,
    /// The host's bytes, aligned to a page. For RAM, reserved address space, inaccessible as
    /// yet (but see [`Vm::takes_pages`]): the backend has the host see the RAM there.
    pub host: NonNull<u8>,
    /// Length in bytes, a multiple of a page.
    pub len: u64,
    /// What the VM may do with it at stage 2.
    pub access: Access,
}

impl Mapping {
    /// Whether it is RAM rather than bytes that nobody writes.
    pub fn is_ram(&self) -> bool {
        self.access.contains(Access::WRITE)
    }
}

/// A virtual machine: guest-physical memory and a vCPU.
///
/// Dropping order is free: a vCPU keeps what it needs of its VM alive.
pub trait Vm: Send {
    /// Maps memory. The VM never has two mappings of one guest-physical page.
    ///
    /// RAM is inaccessible to the host until the caller makes parts of it accessible, and
    /// reads as zero then.
    ///
    /// # Safety
    ///
    /// 1. The host memory, or address space, stays mapped until [`Self::unmap`] or the VM's
    ///    drop.
    /// 2. No Rust reference to it is used while a vCPU runs, unless both sides only read.
    /// 3. RAM's address space is the caller's, and has never been accessible, or not since
    ///    [`Self::unmap`]; but for pages that RAM shall begin with, where the backend
    ///    [takes them](Self::takes_pages).
    ///
    /// # Errors
    ///
    /// When the system refuses, or has no slot left.
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError>;

    /// Removes the mapping that starts at `gpa`; no vCPU reaches the memory afterwards. What
    /// RAM held may be gone; what it was to the host is address space again, or zeroed by
    /// the caller before it is used once more.
    ///
    /// # Errors
    ///
    /// When there is no such mapping.
    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError>;

    /// Whether RAM is the very pages that the host has there, so that it can begin with an
    /// image's, which are shared until somebody writes. Otherwise it begins with zeros.
    fn takes_pages(&self) -> bool {
        true
    }

    /// Makes the VM's vCPU. Call once.
    ///
    /// # Errors
    ///
    /// When the system refuses one.
    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError>;

    /// The guest's address space, if the backend keeps it. Without one the guest's addresses
    /// are translated by page tables in its memory, which the machine writes.
    fn address_space(&mut self) -> Option<&mut dyn AddressSpace> {
        None
    }

    /// Guest-physical address of the page that an Arm guest's stub stores to in order to call
    /// the host, or `None` if it executes `hvc`. Nothing is ever mapped there.
    fn doorbell(&self) -> Option<Gpa> {
        None
    }

    /// Has the vCPU, before it runs again, forget all translations that it has read from page
    /// tables. Returns whether it will: where a backend cannot see to that, the guest's stub
    /// does, or [`Self::unmap`].
    fn forget_translations(&mut self) -> bool {
        false
    }

    /// Process id of the child that has the guest, if a child has it.
    fn child(&self) -> Option<u32> {
        None
    }

    /// What keeps the guest in, in words.
    fn boundary(&self) -> String;
}

/// A guest's virtual addresses, where no page tables translate them. Every change has taken
/// effect when the call returns.
pub trait AddressSpace {
    /// Has the guest reach `len` bytes of guest-physical memory from `gpa` on at `gva`, in
    /// place of what it reached there. All three are multiples of a page; `access` keeps to
    /// W^X.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn map(&mut self, gva: Gva, gpa: Gpa, len: u64, access: Access) -> Result<(), HypervisorError>;

    /// Has the guest reach nothing at `gva..gva + len` any more.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn unmap(&mut self, gva: Gva, len: u64) -> Result<(), HypervisorError>;

    /// Has the guest reach nothing at all, as in a new VM.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    fn clear(&mut self) -> Result<(), HypervisorError>;
}

/// A virtual processor.
pub trait Vcpu: Send {
    /// Puts every register into the state of a fresh boot; nothing of an earlier run stays, and
    /// neither does a kick.
    ///
    /// # Errors
    ///
    /// When the system refuses a value.
    fn set_boot_state(&mut self, state: &BootState) -> Result<(), HypervisorError>;

    /// Runs until an exit. After a [`Kicker::kick`] it returns [`Exit::Kicked`] at once,
    /// again and again, until [`Self::clear_kick`].
    ///
    /// # Errors
    ///
    /// When the system fails to run the vCPU.
    fn run(&mut self) -> Result<Exit, HypervisorError>;

    /// Forgets a kick.
    fn clear_kick(&mut self);

    /// A handle that makes [`Self::run`] return, from any thread.
    fn kicker(&self) -> Arc<dyn Kicker>;
}

/// Makes a running vCPU exit.
pub trait Kicker: Send + Sync {
    /// Makes the current or the next [`Vcpu::run`] return [`Exit::Kicked`]. Has no effect
    /// once the vCPU is gone.
    fn kick(&self);

    /// Tells that the next call is to end as it begins: what is done for it before may end, too.
    fn forewarn(&self) {}
}

/// Why a vCPU stopped. Only [`Self::Mailbox`] and [`Self::Kicked`] leave a VM that can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The runtime delivered the mailbox.
    Mailbox,
    /// Somebody called [`Kicker::kick`].
    Kicked,
    /// The privileged stub has left the report of an exception in SYSTEM (x86-64).
    Exception,
    /// An exception, of which the backend knows: for want of a stub, or from registers.
    Fault(Fault),
    /// The guest called the system that it runs on. The call was not made.
    SystemCall {
        /// The call's number.
        number: u64,
    },
    /// An access to guest-physical memory that is not mapped, or not for this.
    Memory {
        /// The address.
        gpa: Gpa,
        /// Whether it was a write.
        write: bool,
    },
    /// A port access that nobody serves (x86).
    Port {
        /// The port.
        port: u16,
        /// Width of one access in bytes.
        width: u8,
        /// Whether the guest wrote.
        write: bool,
    },
    /// The vCPU waits for an interrupt that cannot come.
    Halt,
    /// An exception while delivering an exception: the vCPU gave up.
    TripleFault,
    /// A signal ended the process that stands for the VM (`process`).
    Killed {
        /// The signal's number.
        signal: u32,
    },
    /// The hypervisor could not go on with this guest.
    Failed {
        /// The hypervisor's own code for the reason.
        code: u64,
    },
    /// An exit of a kind that this VM does not use.
    Unexpected {
        /// The hypervisor's own number for it.
        reason: u32,
    },
}

/// What the guest did, or what happened to it: a clause without its subject.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Mailbox => write!(f, "made a hypercall where none may be made"),
            Self::Kicked => write!(f, "was stopped from outside"),
            Self::Exception => write!(f, "took a processor exception"),
            Self::Fault(fault) => write!(f, "took {fault}"),
            Self::SystemCall { number } => write!(f, "tried to make system call {number}"),
            Self::Memory { gpa, write } => {
                let did = if write { "wrote to" } else { "read from" };
                write!(f, "{did} guest-physical {gpa}, which is not its memory")
            }
            Self::Port { port, width, write } => {
                let did = if write { "wrote to" } else { "read from" };
                write!(
                    f,
                    "{did} port {port:#x} ({} bits), which no device serves",
                    u16::from(width) * 8
                )
            }
            Self::Halt => write!(f, "waited for an interrupt, and a VM here has none"),
            Self::TripleFault => write!(f, "took an exception that it could not handle"),
            Self::Killed { signal } => {
                write!(f, "lost its process to {}", wrt_platform::signal::Named(signal))
            }
            Self::Failed { code } => {
                write!(f, "cannot be run any further by the hypervisor (reason {code:#x})")
            }
            Self::Unexpected { reason } => {
                write!(f, "left the VM by an exit that no guest here uses (reason {reason:#x})")
            }
        }
    }
}

/// An exception of the guest's processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The exception's number; on Arm, its class.
    pub vector: u8,
    /// Address of the instruction.
    pub instruction: u64,
    /// Stack pointer.
    pub stack: u64,
    /// Address that was accessed, for a page fault.
    pub address: Option<u64>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processor exception {} at instruction {:#x}", self.vector, self.instruction)?;
        match self.address {
            Some(address) => write!(f, ", address {address:#x}"),
            None => Ok(()),
        }
    }
}

/// Why the hypervisor refused. The message says what to do where something can be done.
#[derive(Debug, Error)]
pub enum HypervisorError {
    /// There is no such hypervisor here.
    #[error("{name} is not available: {reason}\n  {remedy}")]
    Unavailable {
        /// The hypervisor.
        name: &'static str,
        /// What is missing.
        reason: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// A call to the hypervisor failed.
    #[error("the hypervisor failed to {action}: {error}")]
    Call {
        /// What was asked.
        action: &'static str,
        /// The system's answer.
        error: std::io::Error,
    },
    /// A feature that every supported machine has is missing.
    #[error("this machine cannot run the guest: {0}")]
    Unsupported(&'static str),
}

impl HypervisorError {
    /// What is wrong, in one line, without what to do about it.
    pub fn reason(&self) -> String {
        match self {
            Self::Unavailable { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}

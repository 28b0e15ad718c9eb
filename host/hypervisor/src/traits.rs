//! What backends have in common: a way to make VMs, a VM, its vCPU, and what stops that.

use crate::arch::{Access, BootState, Gpa, Gva};
use crate::error::HypervisorError;
use crate::exit::Exit;
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use wrt_abi::cpu::{Arch, CpuFeatures};

/// A way to make VMs.
pub trait Hypervisor: Any + Send + Sync {
    /// The name users select it by.
    fn name(&self) -> &'static str;

    /// The processor of its guests.
    fn arch(&self) -> Arch;

    /// Whether a VM belongs to the thread that made it: all of it must be used, and dropped,
    /// by that thread. A [`Kicker`] works from any.
    fn binds_threads(&self) -> bool {
        false
    }

    /// Whether a process can have one VM at most: each further one takes a process of its own.
    fn one_vm_a_process(&self) -> bool {
        false
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

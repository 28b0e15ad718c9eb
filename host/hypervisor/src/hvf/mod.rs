//! Apple's Hypervisor.framework, on Apple silicon.
//!
//! Sources of the rules here: the framework's headers (`hv_vm.h`, `hv_vcpu.h`, `hv_error.h`) as
//! Apple documents them, by the function's name. Those that other machine monitors found out by
//! trying say so. `tests/hvsim` has a table of all of them, each with a test.
//!
//! * A process has one VM. Who wants several has several processes.
//! * A vCPU belongs to the thread that made it.
//! * Addresses and sizes are multiples of 16 KiB, on both sides.
//! * What is executed in a guest needs no right to be executed in this process.
//!
//! The same source is built for other systems with the feature `hvsim`, over a simulation.
//! Calls that macOS 13 does not have are not made.

mod error;
mod memory;
mod vcpu;

use crate::arch::Gpa;
use crate::arm;
use crate::error::HypervisorError;
use crate::traits::{Hypervisor, Mapping, Vcpu, Vm};
use applevisor::prelude::{
    FeatureReg, GicDisabled, VcpuConfig, VirtualMachine, VirtualMachineConfig,
    VirtualMachineInstance,
};
use error::{call, check, failed};
use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use wrt_abi::cpu::{Arch, CpuFeatures};

// The simulation's symbols, which nothing else names.
#[cfg(not(target_os = "macos"))]
extern crate wrt_hvsim as _;

/// Name of the backend.
pub(super) const NAME: &str = "hvf";
const BOUNDARY: &str = "second-stage page tables of Apple's hypervisor";

/// Width of guest-physical addresses: the framework's default, which every machine has.
const IPA_BITS: u32 = 36;

/// Whether this process has been let make a VM. Held while one is tried, which nobody else may find
/// in their way.
static ALLOWED: Mutex<bool> = Mutex::new(false);

/// The framework.
pub(super) struct Hvf {
    features: CpuFeatures,
}

impl Hvf {
    /// Checks what the backend relies on.
    ///
    /// Whether this program is entitled to make VMs shows when it makes one.
    pub(super) fn open() -> Result<Self, HypervisorError> {
        static IDENTITY: OnceLock<Result<arm::Identity, i32>> = OnceLock::new();
        let identity = IDENTITY.get_or_init(|| identity().map_err(|error| error.into()));
        let identity = identity.map_err(|code| failed("describe its vCPUs", code))?;
        identity.check()?;
        Ok(Self { features: identity.code_features() })
    }
}

/// What the framework says of its vCPUs.
fn identity() -> Result<arm::Identity, applevisor::error::HypervisorError> {
    let config = VcpuConfig::new();
    Ok(arm::Identity {
        memory_model_0: config.get_feature_reg(FeatureReg::ID_AA64MMFR0_EL1)?,
        memory_model_1: config.get_feature_reg(FeatureReg::ID_AA64MMFR1_EL1)?,
        instructions_0: config.get_feature_reg(FeatureReg::ID_AA64ISAR0_EL1)?,
        instructions_1: config.get_feature_reg(FeatureReg::ID_AA64ISAR1_EL1)?,
    })
}

/// What `doctor` shows.
pub(super) fn details() -> Vec<(&'static str, String)> {
    let bits = |size: Result<u32, _>| match size {
        Ok(bits) => bits.to_string(),
        Err::<_, applevisor::error::HypervisorError>(error) => error.to_string(),
    };
    vec![
        ("boundary", BOUNDARY.to_owned()),
        ("guest-physical address bits, at most", bits(VirtualMachineConfig::get_max_ipa_size())),
        ("VMs", "one a process".to_owned()),
    ]
}

impl Hypervisor for Hvf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn arch(&self) -> Arch {
        Arch::Aarch64
    }

    fn one_vm_a_process(&self) -> bool {
        true
    }

    /// `hv_vcpu_create`: "a vCPU ... is bound to the thread".
    fn binds_threads(&self) -> bool {
        true
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        Box::new(Self { features: self.features })
    }

    fn code_features(&self) -> CpuFeatures {
        self.features
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        let mut allowed = ALLOWED.lock().unwrap_or_else(PoisonError::into_inner);
        let vm = create()?;
        *allowed = true;
        Ok(Box::new(HvfVm { vm, mappings: HashMap::new() }))
    }

    /// A process that has been let make a VM may have it yet, and would be refused another.
    fn probe(&self) -> Result<(), HypervisorError> {
        let mut allowed = ALLOWED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*allowed {
            drop(create()?);
            *allowed = true;
        }
        Ok(())
    }
}

fn create() -> Result<Handle, HypervisorError> {
    let mut config = VirtualMachineConfig::new();
    config.set_ipa_size(IPA_BITS).map_err(call("size the guest-physical address space"))?;
    VirtualMachine::with_config(config).map_err(call("create a VM"))
}

/// A VM; the last clone of the handle that goes destroys it.
type Handle = VirtualMachineInstance<GicDisabled>;

struct HvfVm {
    vm: Handle,
    /// Length of each mapping, by its address.
    mappings: HashMap<Gpa, usize>,
}

impl Vm for HvfVm {
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError> {
        // SAFETY: the caller's promise is the same.
        unsafe { memory::map(mapping) }?;
        self.mappings.insert(mapping.gpa, memory::size(mapping.len));
        Ok(())
    }

    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError> {
        let Some(size) = self.mappings.remove(&gpa) else {
            return Err(HypervisorError::Call {
                action: "unmap guest memory".into(),
                error: std::io::ErrorKind::NotFound.into(),
            });
        };
        memory::unmap(gpa, size)
    }

    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError> {
        Ok(Box::new(vcpu::HvfVcpu::new(self.vm.clone())?))
    }

    fn boundary(&self) -> String {
        BOUNDARY.to_owned()
    }
}

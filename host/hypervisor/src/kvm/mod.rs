//! Linux KVM.
//!
//! Source of every rule here: the kernel's `Documentation/virt/kvm/api.rst`, by the ioctl's
//! name. There is no in-kernel interrupt controller: the guest has no interrupts, and a
//! `hlt` comes back as an exit.

#[cfg(target_arch = "aarch64")]
mod aarch64;
// The other processor's decoder, which is pure, to be fuzzed here.
#[cfg(all(feature = "fuzzing", not(target_arch = "aarch64")))]
#[path = "aarch64/exit.rs"]
pub(crate) mod aarch64_exit;
mod kick;
pub(crate) mod raw;
mod vcpu;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(all(feature = "fuzzing", target_arch = "aarch64"))]
pub(crate) use aarch64::exit as aarch64_exit;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

use crate::arch::{Access, Gpa};
use crate::error::HypervisorError;
use crate::traits::{Hypervisor, Mapping, Vcpu, Vm};
use kvm_bindings::{KVM_API_VERSION, KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Cap, VmFd};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_platform::descriptors::is_out_of_descriptors;

const DEVICE: &str = "/dev/kvm";
const BOUNDARY: &str = "second-stage or shadow page tables of the Linux kernel";

/// An open `/dev/kvm`.
pub(super) struct Kvm {
    system: Arc<kvm_ioctls::Kvm>,
}

impl Kvm {
    /// Opens the device and checks what the backend relies on.
    pub(super) fn open() -> Result<Self, HypervisorError> {
        let system = kvm_ioctls::Kvm::new().map_err(|error| missing(&error))?;
        let version = system.get_api_version();
        if version < 0 {
            return Err(unavailable(
                format!("{DEVICE} is not KVM"),
                "something else has taken its place; remove it, then `modprobe kvm`",
            ));
        }
        if u32::try_from(version) != Ok(KVM_API_VERSION) {
            return Err(unavailable(
                format!("{DEVICE} speaks API version {version}, not {KVM_API_VERSION}"),
                "use a kernel from this century",
            ));
        }
        for (cap, what) in [
            (Cap::UserMemory, "KVM without KVM_CAP_USER_MEMORY"),
            (Cap::ImmediateExit, "KVM without KVM_CAP_IMMEDIATE_EXIT (Linux 4.13)"),
            (Cap::ReadonlyMem, "KVM without KVM_CAP_READONLY_MEM"),
        ] {
            if !system.check_extension(cap) {
                return Err(HypervisorError::Unsupported(what.into()));
            }
        }
        kick::install_handler()?;
        Ok(Self { system: Arc::new(system) })
    }
}

/// What `doctor` shows.
pub(super) fn details() -> Vec<(&'static str, String)> {
    let Ok(Kvm { system }) = Kvm::open() else { return Vec::new() };
    [("boundary", BOUNDARY.to_owned()), ("memory slots a VM", system.get_nr_memslots().to_string())]
        .into_iter()
        .chain(arch::details(&system))
        .collect()
}

fn unavailable(reason: String, remedy: &'static str) -> HypervisorError {
    HypervisorError::Unavailable { name: "kvm".into(), reason, remedy: remedy.into() }
}

/// Says what stands between this process and `/dev/kvm`.
fn missing(error: &kvm_ioctls::Error) -> HypervisorError {
    let error = io::Error::from_raw_os_error(error.errno());
    match error.kind() {
        io::ErrorKind::NotFound => unavailable(
            format!("there is no {DEVICE}"),
            "enable virtualisation in the firmware (or nested virtualisation in the cloud), \
             then `modprobe kvm_intel` or `modprobe kvm_amd`; in a container, pass \
             `--device /dev/kvm`",
        ),
        io::ErrorKind::PermissionDenied => unavailable(
            format!("no permission to open {DEVICE}"),
            "add yourself to the group that owns it (`sudo usermod -aG kvm $USER`), then log \
             in again",
        ),
        // It is there, and may be open in a moment.
        _ if is_out_of_descriptors(&error) => {
            HypervisorError::Call { action: "open /dev/kvm".into(), error }
        }
        _ => unavailable(format!("cannot open {DEVICE}: {error}"), "see `wrt-vm doctor`"),
    }
}

/// Makes the error of a failed ioctl.
fn failed(action: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> HypervisorError {
    move |error| HypervisorError::Call {
        action: action.into(),
        error: io::Error::from_raw_os_error(error.errno()),
    }
}

/// How often a call is made again that a signal has cut short.
const SIGNALS: u32 = 1000;

/// Makes a call of KVM's again while signals cut it short: those that take locks of the whole
/// address space (`KVM_CREATE_VM`) look for signals, and leave nothing behind. Signals that come
/// faster than the call ends are an error in the end.
fn persist<T>(
    mut call: impl FnMut() -> Result<T, kvm_ioctls::Error>,
) -> Result<T, kvm_ioctls::Error> {
    for _ in 0..SIGNALS {
        match call() {
            Err(error) if error.errno() == libc::EINTR => {}
            result => return result,
        }
    }
    call()
}

impl Hypervisor for Kvm {
    fn name(&self) -> &'static str {
        "kvm"
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        Box::new(Self { system: Arc::clone(&self.system) })
    }

    fn arch(&self) -> Arch {
        arch::ARCH
    }

    fn code_features(&self) -> CpuFeatures {
        arch::code_features()
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        let fd = arch::create_vm(&self.system)?;
        Ok(Box::new(KvmVm {
            fd: Arc::new(fd),
            system: Arc::clone(&self.system),
            slots: HashMap::new(),
            free: Vec::new(),
            next: 0,
            stale: Arc::default(),
        }))
    }
}

struct KvmVm {
    fd: Arc<VmFd>,
    system: Arc<kvm_ioctls::Kvm>,
    /// Memory slot of each mapping, by its address.
    slots: HashMap<Gpa, u32>,
    free: Vec<u32>,
    next: u32,
    /// Whether the vCPU is to forget its translations.
    stale: Arc<AtomicBool>,
}

impl Vm for KvmVm {
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError> {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        let writable = mapping.access.contains(Access::WRITE);
        let region = kvm_userspace_memory_region {
            slot,
            flags: if writable { 0 } else { KVM_MEM_READONLY },
            guest_phys_addr: mapping.gpa.0,
            memory_size: mapping.len,
            userspace_addr: mapping.host.as_ptr().addr() as u64,
        };
        // RAM is where the host has it already: accessible or not is the host's business.
        // SAFETY: the caller vouches for the memory (1) and its references (2); the kernel
        // checks alignment and overlap.
        let set = persist(|| unsafe { self.fd.set_user_memory_region(region) });
        if let Err(error) = set {
            self.free.push(slot);
            return Err(failed("map guest memory")(error));
        }
        self.slots.insert(mapping.gpa, slot);
        Ok(())
    }

    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError> {
        let Some(slot) = self.slots.remove(&gpa) else {
            return Err(HypervisorError::Call {
                action: "unmap guest memory".into(),
                error: io::ErrorKind::NotFound.into(),
            });
        };
        // A size of zero deletes the slot; the kernel removes every translation into it.
        let region = kvm_userspace_memory_region {
            slot,
            guest_phys_addr: gpa.0,
            ..kvm_userspace_memory_region::default()
        };
        // SAFETY: deleting a slot gives the guest access to nothing.
        let deleted = persist(|| unsafe { self.fd.set_user_memory_region(region) });
        deleted.map_err(failed("unmap guest memory"))?;
        self.free.push(slot);
        Ok(())
    }

    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError> {
        Ok(Box::new(vcpu::KvmVcpu::new(&self.system, &self.fd, &self.stale)?))
    }

    fn forget_translations(&mut self) -> bool {
        self.stale.store(arch::CAN_FORGET_TRANSLATIONS, Ordering::Relaxed);
        arch::CAN_FORGET_TRANSLATIONS
    }

    fn doorbell(&self) -> Option<Gpa> {
        arch::DOORBELL
    }

    fn boundary(&self) -> String {
        BOUNDARY.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_a_signal_cuts_short_is_made_again_but_not_without_end() {
        let interrupted = || kvm_ioctls::Error::new(libc::EINTR);
        let mut calls = 0;
        let done = persist(|| {
            calls += 1;
            if calls < 5 { Err(interrupted()) } else { Ok(calls) }
        });
        assert_eq!(done.unwrap(), 5);
        let mut calls = 0;
        let failed = persist(|| {
            calls += 1;
            Err::<(), _>(interrupted())
        });
        assert_eq!((failed.unwrap_err().errno(), calls), (libc::EINTR, SIGNALS + 1));
        let mut calls = 0;
        let failed = persist(|| {
            calls += 1;
            Err::<(), _>(kvm_ioctls::Error::new(libc::ENOMEM))
        });
        assert_eq!((failed.unwrap_err().errno(), calls), (libc::ENOMEM, 1));
    }
}

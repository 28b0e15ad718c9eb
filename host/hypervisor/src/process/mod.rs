//! No hypervisor: the guest in a traced child process.
//!
//! The child has nothing in it but guest memory, mapped at the guest's own addresses, and one
//! page of code of ours (`guest/child`; [`wrt_abi::process`] draws its map). The VMM is its
//! tracer. What is an exit of a VM is a stop of the child:
//!
//! * The mailbox is a breakpoint instruction. Its round trip is two switches between processes;
//!   no register is looked at, but for Arm's program counter, which is to be moved past it.
//! * A fault that the stub would deliver in a VM is delivered by the tracer in the same way.
//! * A system call is a stop before it begins, and is never made (`PTRACE_SYSEMU`): it ends
//!   the VM. Should a call begin all the same, a seccomp filter kills the child.
//! * The child's mappings are changed by calls that the tracer has it make, through the one
//!   instruction that the filter allows.
//!
//! Guest-physical memory is a file in memory; an address is an offset into it. The child maps
//! all of it once, inaccessible (the *window*), and each translation is a duplicate of a part
//! of the window. So the child needs no descriptor, and has none.
//!
//! A child's stops come to `waitpid`, by its number. A program that waits for *any* child in
//! another thread takes them away, and the guest would stop for ever: it must not.
//!
//! The boundary is the host kernel's: its memory management and its handling of exceptions
//! and of `ptrace`. That is more than a hypervisor has the guest reach, and much less than a
//! process that makes system calls does.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod child;
mod kick;
mod ptrace;
mod sets;
mod spawn;
pub(crate) mod stop;
mod vcpu;
#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "aarch64")]
use aarch64 as arch;
#[cfg(target_arch = "x86_64")]
use x86_64 as arch;

use crate::arch::{Access, Gpa, Gva};
use crate::error::HypervisorError;
use crate::traits::{AddressSpace, Hypervisor, Mapping, Vcpu, Vm};
use child::{Child, MappingCall, failed};
use spawn::Namespaces;
use std::collections::HashMap;
use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::process::{WINDOW_BASE, WINDOW_SIZE};
use wrt_guest_images::Guest;
use wrt_platform::memory::{SparseMemory, check_address_space, sealed_program, vacate};

const NAME: &str = "process";
const BOUNDARY: &str = "a traced child process without system calls (seccomp)";

/// What makes children.
pub(super) struct Process {
    program: Arc<OwnedFd>,
}

impl Process {
    /// Makes ready what children are made of. Whether there may be any shows when the first
    /// is made.
    pub(super) fn open() -> Result<Self, HypervisorError> {
        arch::check_processor()?;
        let guest = Guest::of(arch::ARCH).ok_or(HypervisorError::Unsupported(
            "this build has no guest for its processor".into(),
        ))?;
        let program = sealed_program("wrt-vm guest", guest.child)
            .map_err(failed("make a file in memory (memfd_create)"))?;
        Ok(Self { program: Arc::new(program) })
    }

    fn create(&self) -> Result<ProcessVm, HypervisorError> {
        // A child that cannot map it could not even say so.
        check_address_space(WINDOW_SIZE).map_err(failed("map guest memory"))?;
        let memory = SparseMemory::new("wrt-vm memory", WINDOW_SIZE)
            .map_err(failed("make guest memory (memfd_create)"))?;
        let child = Child::start(self.program.as_fd(), memory.as_fd(), &Namespaces::ATTEMPTS)
            .map_err(explain)?;
        let shared = Arc::new(Shared { child: Mutex::new(child) });
        Ok(ProcessVm {
            program: Arc::clone(&self.program),
            memory,
            shared,
            mappings: HashMap::new(),
        })
    }
}

impl Hypervisor for Process {
    fn name(&self) -> &'static str {
        NAME
    }

    fn arch(&self) -> Arch {
        arch::ARCH
    }

    /// `ptrace(2)`: the tracer is a thread.
    fn binds_threads(&self) -> bool {
        true
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        Box::new(Self { program: Arc::clone(&self.program) })
    }

    fn code_features(&self) -> CpuFeatures {
        arch::code_features()
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        Ok(Box::new(self.create()?))
    }
}

/// Says what can be done about a child that may not be.
fn explain(error: HypervisorError) -> HypervisorError {
    match error {
        HypervisorError::Call { action, error }
            if matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES | libc::ENOSYS)) =>
        {
            HypervisorError::Unavailable {
                name: NAME.into(),
                reason: format!("the system does not let wrt-vm {action}: {error}"),
                remedy: "let it trace its own children: in a container, a seccomp profile that \
                         allows ptrace and clone (`--security-opt seccomp=...` or `--cap-add \
                         SYS_PTRACE`); elsewhere, /proc/sys/kernel/yama/ptrace_scope below 3"
                    .into(),
            }
        }
        other => other,
    }
}

/// What a VM and its vCPU share.
pub(super) struct Shared {
    child: Mutex<Child>,
}

fn lock(child: &Mutex<Child>) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ProcessVm {
    program: Arc<OwnedFd>,
    memory: SparseMemory,
    shared: Arc<Shared>,
    mappings: HashMap<Gpa, Mapping>,
}

// SAFETY: the pointers in `mappings` are to memory that its owner keeps until it is unmapped
// or the VM is dropped, wherever that happens.
unsafe impl Send for ProcessVm {}

impl Vm for ProcessVm {
    unsafe fn map(&mut self, mapping: Mapping) -> Result<(), HypervisorError> {
        let Mapping { gpa, host, len, .. } = mapping;
        let size = usize::try_from(len).unwrap_or(usize::MAX);
        let mapped = if mapping.is_ram() {
            // SAFETY: address space that is the caller's and inaccessible (3), and stays
            // until `unmap` (1).
            unsafe { self.memory.show_at(host, size, gpa.0) }
        } else {
            // SAFETY: the caller vouches for the bytes (1), which nobody writes (2).
            let bytes = unsafe { std::slice::from_raw_parts(host.as_ptr(), size) };
            self.memory.write(bytes, gpa.0)
        };
        mapped.map_err(failed("map guest memory"))?;
        self.mappings.insert(gpa, mapping);
        Ok(())
    }

    fn unmap(&mut self, gpa: Gpa) -> Result<(), HypervisorError> {
        let Some(mapping) = self.mappings.remove(&gpa) else {
            return Err(failed("unmap guest memory")(io::ErrorKind::NotFound.into()));
        };
        if mapping.is_ram() {
            let size = usize::try_from(mapping.len).unwrap_or(usize::MAX);
            // SAFETY: `map` made a window of it, and its owner has no use for it any more.
            unsafe { vacate(mapping.host, size) }.map_err(failed("unmap guest memory"))?;
        }
        // Its pages go from the child too, should a translation be left.
        self.memory.discard(gpa.0, mapping.len).map_err(failed("discard guest memory"))
    }

    /// A file's pages take their place.
    fn takes_pages(&self) -> bool {
        false
    }

    fn create_vcpu(&mut self) -> Result<Box<dyn Vcpu>, HypervisorError> {
        Ok(Box::new(vcpu::ProcessVcpu::new(&self.shared)))
    }

    fn address_space(&mut self) -> Option<&mut dyn AddressSpace> {
        Some(self)
    }

    fn child(&self) -> Option<u32> {
        Some(lock(&self.shared.child).pid().cast_unsigned())
    }

    fn boundary(&self) -> String {
        let child = lock(&self.shared.child);
        format!("{BOUNDARY}; namespaces of its own: {}", child.namespaces.describe())
    }
}

impl AddressSpace for ProcessVm {
    fn map(&mut self, gva: Gva, gpa: Gpa, len: u64, access: Access) -> Result<(), HypervisorError> {
        assert!(access.is_wx_safe(), "a page is never writable and executable");
        let from = WINDOW_BASE + gpa.0;
        let duplicate = MappingCall::Duplicate { from, len, to: gva.0 };
        let protect = MappingCall::Protect { start: gva.0, len, protection: protection(access) };
        lock(&self.shared.child).call(duplicate, Some(protect))
    }

    fn unmap(&mut self, gva: Gva, len: u64) -> Result<(), HypervisorError> {
        let mut child = lock(&self.shared.child);
        if !child.is_alive() {
            return Ok(());
        }
        child.call(MappingCall::Unmap { start: gva.0, len }, None)
    }

    /// A child that has ended is replaced.
    fn clear(&mut self) -> Result<(), HypervisorError> {
        let mut child = lock(&self.shared.child);
        if child.is_alive() && child.unmap_guest().is_ok() {
            return Ok(());
        }
        let attempts = [child.namespaces];
        *child = Child::start(self.program.as_fd(), self.memory.as_fd(), &attempts)?;
        Ok(())
    }
}

fn protection(access: Access) -> c_int {
    [
        (Access::READ, libc::PROT_READ),
        (Access::WRITE, libc::PROT_WRITE),
        (Access::EXECUTE, libc::PROT_EXEC),
    ]
    .into_iter()
    .filter(|(kind, _)| access.contains(*kind))
    .fold(libc::PROT_NONE, |all, (_, bit)| all | bit)
}

/// What `doctor` shows.
pub(super) fn details() -> Vec<(&'static str, String)> {
    let Ok(vm) = Process::open().and_then(|process| process.create()) else { return Vec::new() };
    let child = lock(&vm.shared.child);
    let missing = Namespaces::all().difference(child.namespaces);
    vec![
        ("boundary", BOUNDARY.to_owned()),
        ("namespaces of its own", child.namespaces.describe()),
        ("namespaces that it shares with this program", missing.describe()),
        ("kept from the guest", arch::describe_kept(child.kept).to_owned()),
    ]
}

//! Micro-VMs in processes of their own.
//!
//! Apple's framework gives a process one VM. So who wants several has *workers*: processes that
//! run one machine each, with its services, and take orders on a socket. They work on any
//! backend, and have a merit of their own: what becomes of a worker is an error of its one VM.
//!
//! ```text
//! parent                                  worker (`wrt-vm worker`)
//! MicroVm ─ Home ─ remote.rs ══ channel.rs ══ serve.rs ─ Home ─ Machine, services
//!                     └──── cancel ──────────────┘
//! ```
//!
//! What passes is in [`message`]; directories and modules go as file descriptors, standard
//! streams are inherited. A worker runs a hostile guest, and may have become its own: what it
//! says is bounded, and believed of its own VM only. It ends when its parent does.

mod channel;
mod message;
mod remote;
mod serve;

pub(crate) use message::{Sink, Source, World};
pub(crate) use remote::Remote;
pub use serve::serve;

use crate::hypervisor::{Hypervisor, HypervisorError, Vm};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wrt_abi::cpu::{Arch, CpuFeatures};

/// A hypervisor whose VMs are in workers.
#[derive(Clone)]
struct InWorkers {
    /// What the workers use.
    inner: Arc<dyn Hypervisor>,
    program: PathBuf,
}

/// Has VMs of a hypervisor made in worker processes. `program` is `wrt-vm`, or another that
/// calls [`serve`] when its first argument is `worker`.
pub fn in_workers(inner: Box<dyn Hypervisor>, program: PathBuf) -> Box<dyn Hypervisor> {
    Box::new(InWorkers { inner: inner.into(), program })
}

impl Hypervisor for InWorkers {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn arch(&self) -> Arch {
        self.inner.arch()
    }

    fn worker(&self) -> Option<&Path> {
        Some(&self.program)
    }

    fn another(&self) -> Box<dyn Hypervisor> {
        Box::new(self.clone())
    }

    fn code_features(&self) -> CpuFeatures {
        self.inner.code_features()
    }

    fn create_vm(&self) -> Result<Box<dyn Vm>, HypervisorError> {
        Err(HypervisorError::Unsupported("its VMs are in worker processes"))
    }
}

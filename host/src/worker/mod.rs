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
//! A worker enters its [jail](crate::Jail) as it makes its machine. A jail cannot be widened: who
//! is [reset](crate::MicroVm::reset_with) to a world with directories has a new worker.
//!
//! What passes is in [`message`]; directories and modules go as file descriptors, standard
//! streams are inherited. A worker runs a hostile guest, and may have become its own: what it
//! says is bounded, and believed of its own VM only. It ends when its parent does.

pub(crate) mod channel;
pub(crate) mod message;
mod remote;
mod serve;

pub(crate) use message::{Sink, Source, World};
pub(crate) use remote::Remote;
pub use serve::serve;

use crate::hypervisor::{Hypervisor, HypervisorError, Vm};
use std::path::PathBuf;
use std::sync::Arc;
use wrt_abi::cpu::{Arch, CpuFeatures};

/// What workers are like.
#[derive(Clone, Debug)]
pub struct Workers {
    program: PathBuf,
    jailed: bool,
    verbose: u8,
}

impl Workers {
    /// Jailed processes of this program: `wrt-vm`, or another that calls [`serve`] when its
    /// first argument is `worker`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), jailed: true, verbose: 0 }
    }

    /// Whether they are jailed.
    pub fn jailed(mut self, jailed: bool) -> Self {
        self.jailed = jailed;
        self
    }

    /// How often they are told `-v`, behind their first argument.
    pub fn verbose(mut self, verbose: u8) -> Self {
        self.verbose = verbose;
        self
    }

    /// What they are started with.
    fn arguments(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once("worker").chain(std::iter::repeat_n("-v", self.verbose.into()))
    }
}

/// A hypervisor whose VMs are in workers.
#[derive(Clone)]
struct InWorkers {
    /// What the workers use.
    inner: Arc<dyn Hypervisor>,
    workers: Workers,
}

/// Has VMs of a hypervisor made in worker processes.
pub fn in_workers(inner: Box<dyn Hypervisor>, workers: Workers) -> Box<dyn Hypervisor> {
    Box::new(InWorkers { inner: inner.into(), workers })
}

impl Hypervisor for InWorkers {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn arch(&self) -> Arch {
        self.inner.arch()
    }

    fn workers(&self) -> Option<&Workers> {
        Some(&self.workers)
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

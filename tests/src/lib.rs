//! What the behaviour tests share: the setups that each of them runs on.
//!
//! A test is written once, as a loop over [`matrix`]; a new backend or engine is one line
//! here, and every suite runs on it.

use std::fmt;
use wrt_vm::hypervisor::available;
use wrt_vm::{Backend, Builder, MicroVm};

/// One backend with one engine.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The hypervisor.
    pub backend: Backend,
    /// The engine's name.
    pub engine: &'static str,
}

impl Setup {
    /// Settings of a micro-VM of this setup.
    pub fn builder(self) -> Builder {
        MicroVm::builder().backend(self.backend)
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backend.name(), self.engine)
    }
}

/// Engines that a guest may hold.
const ENGINES: &[&str] = &["interp"];

/// Every setup that this machine can run.
pub fn matrix() -> Vec<Setup> {
    let with = |backend| ENGINES.iter().map(move |&engine| Setup { backend, engine });
    backends().into_iter().flat_map(with).collect()
}

/// Every backend that works on this machine; says which others were skipped, and why.
pub fn backends() -> Vec<Backend> {
    let usable = |found: wrt_vm::hypervisor::Availability| match found.problem {
        None => Some(found.backend),
        Some(problem) => {
            println!("skipped: no {} ({problem})", needs(found.backend));
            None
        }
    };
    available().into_iter().filter_map(usable).collect()
}

/// What a backend needs of its machine, in the shortest words.
fn needs(backend: Backend) -> &'static str {
    match backend {
        Backend::Auto => "hypervisor",
        Backend::Kvm => "/dev/kvm",
    }
}

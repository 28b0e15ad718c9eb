//! Which hypervisor to use.

use super::{Hypervisor, HypervisorError};
use std::str::FromStr;

/// A choice of hypervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The best one that this machine has.
    #[default]
    Auto,
    /// Linux KVM.
    Kvm,
}

impl Backend {
    /// Every concrete backend that this build has.
    pub const ALL: &'static [Self] = &[Self::Kvm];

    /// The name that selects it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
        }
    }

    /// Opens the hypervisor.
    ///
    /// # Errors
    ///
    /// [`HypervisorError::Unavailable`], with what is missing and how to get it.
    pub fn open(self) -> Result<Box<dyn Hypervisor>, HypervisorError> {
        match self {
            Self::Auto | Self::Kvm => open_kvm(),
        }
    }
}

#[cfg(target_os = "linux")]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(super::kvm::Kvm::open()?))
}

#[cfg(not(target_os = "linux"))]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(HypervisorError::Unavailable {
        name: "kvm",
        reason: "this is not Linux".to_owned(),
        remedy: "KVM exists on Linux only",
    })
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            other => Err(format!("no backend is called `{other}`; there are auto and kvm")),
        }
    }
}

/// What [`available`] found out about a backend.
#[derive(Debug)]
pub struct Availability {
    /// The backend.
    pub backend: Backend,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<HypervisorError>,
}

/// Tries every backend of this build by making an empty VM.
pub fn available() -> Vec<Availability> {
    Backend::ALL
        .iter()
        .map(|&backend| {
            let made = backend.open().and_then(|hypervisor| hypervisor.create_vm());
            Availability { backend, problem: made.err() }
        })
        .collect()
}

/// What there is to know about a backend that works, for people.
pub fn details(backend: Backend) -> Vec<(&'static str, String)> {
    match backend {
        #[cfg(target_os = "linux")]
        Backend::Auto | Backend::Kvm => super::kvm::details(),
        #[cfg(not(target_os = "linux"))]
        Backend::Auto | Backend::Kvm => Vec::new(),
    }
}

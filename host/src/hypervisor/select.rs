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
    /// A traced child process, where there is no hypervisor: a weaker boundary.
    Process,
}

/// A hypervisor that is open.
pub struct Opened {
    /// It.
    pub hypervisor: Box<dyn Hypervisor>,
    /// Why it is not a better one, if [`Backend::Auto`] had to do without.
    pub instead_of: Option<HypervisorError>,
}

impl Backend {
    /// Every concrete backend that this build has, the best first.
    pub const ALL: &'static [Self] = &[Self::Kvm, Self::Process];

    /// The name that selects it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kvm => "kvm",
            Self::Process => "process",
        }
    }

    /// Opens the hypervisor.
    ///
    /// # Errors
    ///
    /// [`HypervisorError::Unavailable`], with what is missing and how to get it.
    pub fn open(self) -> Result<Box<dyn Hypervisor>, HypervisorError> {
        self.choose().map(|opened| opened.hypervisor)
    }

    /// As [`Self::open`], and tells why it is not a better one.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn choose(self) -> Result<Opened, HypervisorError> {
        let opened = |hypervisor| Opened { hypervisor, instead_of: None };
        match self {
            Self::Kvm => open_kvm().map(opened),
            Self::Process => open_process().map(opened),
            Self::Auto => open_kvm().map(opened).or_else(|why| match open_process() {
                Ok(hypervisor) => {
                    tracing::warn!("no hypervisor, a child process instead: {why}");
                    Ok(Opened { hypervisor, instead_of: Some(why) })
                }
                // What is missing for the best.
                Err(_) => Err(why),
            }),
        }
    }
}

#[cfg(target_os = "linux")]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(super::kvm::Kvm::open()?))
}

#[cfg(target_os = "linux")]
fn open_process() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(super::process::Process::open()?))
}

#[cfg(not(target_os = "linux"))]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(HypervisorError::Unavailable {
        name: "kvm",
        reason: "this is not Linux".to_owned(),
        remedy: "KVM exists on Linux only",
    })
}

#[cfg(not(target_os = "linux"))]
fn open_process() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(HypervisorError::Unavailable {
        name: "process",
        reason: "this is not Linux".to_owned(),
        remedy: "the process backend exists on Linux only",
    })
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "kvm" => Ok(Self::Kvm),
            "process" => Ok(Self::Process),
            other => {
                Err(format!("no backend is called `{other}`; there are auto, kvm and process"))
            }
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
        #[cfg(target_os = "linux")]
        Backend::Process => super::process::details(),
        #[cfg(not(target_os = "linux"))]
        _ => Vec::new(),
    }
}

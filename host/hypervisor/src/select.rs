//! Which hypervisor to use.

use crate::error::HypervisorError;
use crate::traits::Hypervisor;
use std::str::FromStr;
use wrt_platform::descriptors::is_out_of_descriptors;

/// A choice of hypervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The best one that this machine has.
    #[default]
    Auto,
    /// Apple's Hypervisor.framework.
    Hvf,
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
    pub const ALL: &'static [Self] = &[
        #[cfg(target_os = "linux")]
        Self::Kvm,
        #[cfg(any(target_os = "macos", feature = "hvsim"))]
        Self::Hvf,
        #[cfg(target_os = "linux")]
        Self::Process,
    ];

    /// The best one that this system may have.
    const BEST: Self = if cfg!(target_os = "macos") { Self::Hvf } else { Self::Kvm };

    /// The name that selects it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Hvf => "hvf",
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
            Self::Hvf => open_hvf().map(opened),
            Self::Kvm => open_kvm().map(opened),
            Self::Process => open_process().map(opened),
            Self::Auto => Self::BEST.choose().or_else(|why| match instead(&why) {
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

/// A child process instead of a hypervisor that is not there. For one that is, and failed for
/// another reason, there is none: the boundary would be a weaker one by accident.
fn instead(of: &HypervisorError) -> Result<Box<dyn Hypervisor>, ()> {
    match of {
        HypervisorError::Call { error, .. } if is_out_of_descriptors(error) => Err(()),
        _ => open_process().map_err(|_| ()),
    }
}

#[cfg(any(target_os = "macos", feature = "hvsim"))]
fn open_hvf() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(crate::hvf::Hvf::open()?))
}

#[cfg(not(any(target_os = "macos", feature = "hvsim")))]
fn open_hvf() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(elsewhere("hvf", "Hypervisor.framework exists on macOS only"))
}

#[cfg(target_os = "linux")]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(crate::kvm::Kvm::open()?))
}

#[cfg(not(target_os = "linux"))]
fn open_kvm() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(elsewhere("kvm", "KVM exists on Linux only"))
}

#[cfg(target_os = "linux")]
fn open_process() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Ok(Box::new(crate::process::Process::open()?))
}

#[cfg(not(target_os = "linux"))]
fn open_process() -> Result<Box<dyn Hypervisor>, HypervisorError> {
    Err(elsewhere("process", "the process backend exists on Linux only"))
}

/// The error of a backend that another system has.
#[cfg_attr(
    all(target_os = "linux", feature = "hvsim"),
    expect(dead_code, reason = "every backend is here")
)]
fn elsewhere(name: &'static str, remedy: &'static str) -> HypervisorError {
    let reason = format!("this is {} on {}", std::env::consts::OS, std::env::consts::ARCH);
    HypervisorError::Unavailable { name: name.into(), reason, remedy: remedy.into() }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "hvf" => Ok(Self::Hvf),
            "kvm" => Ok(Self::Kvm),
            "process" => Ok(Self::Process),
            other => Err(format!(
                "no backend is called `{}`; there are auto, hvf, kvm and process",
                wrt_platform::text::Line(other)
            )),
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
            let tried = backend.open().and_then(|hypervisor| hypervisor.probe());
            Availability { backend, problem: tried.err() }
        })
        .collect()
}

/// What there is to know about a backend that works, for people.
pub fn details(backend: Backend) -> Vec<(&'static str, String)> {
    match backend {
        Backend::Auto => details(Backend::BEST),
        #[cfg(any(target_os = "macos", feature = "hvsim"))]
        Backend::Hvf => crate::hvf::details(),
        #[cfg(target_os = "linux")]
        Backend::Kvm => crate::kvm::details(),
        #[cfg(target_os = "linux")]
        Backend::Process => crate::process::details(),
        #[allow(unreachable_patterns, reason = "where every backend is there")]
        _ => Vec::new(),
    }
}

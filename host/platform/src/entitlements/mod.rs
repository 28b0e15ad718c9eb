//! What this process may do by its signature (macOS) or by what the system lets it (Linux).
//!
//! Names are Apple's. On Linux each stands for what comes closest:
//!
//! | name | Linux |
//! |---|---|
//! | `com.apple.security.hypervisor` | `/dev/kvm` can be opened for reading and writing |
//! | `com.apple.security.cs.allow-jit` | a page can be made executable |
//! | `com.apple.security.cs.allow-unsigned-executable-memory` | the same |
//! | `com.apple.security.app-sandbox` | a filter of system calls is in force |
//! | `com.apple.security.network.client`, `.server` | a socket can be opened |
//! | `cap:NAME` | the effective capability of that name, `cap:sys_ptrace` |
//! | `no-new-privs` | no program can give this process more |

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod sys;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod sys;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("entitlements are those of Linux and macOS");

use crate::availability::Availability;
use std::io;

/// The right to make virtual machines.
pub const HYPERVISOR: &str = "com.apple.security.hypervisor";
/// The right to make code at run time.
pub const ALLOW_JIT: &str = "com.apple.security.cs.allow-jit";

/// This process's entitlements at the time of asking. A [sandbox](crate::sandbox) takes some
/// away.
#[derive(Debug)]
pub struct Entitlements(sys::Entitlements);

impl Entitlements {
    /// Looks them up.
    ///
    /// # Errors
    ///
    /// When the system does not say.
    pub fn current() -> io::Result<Self> {
        sys::Entitlements::current().map(Self)
    }

    /// Whether this process has the entitlement. Unknown names are entitlements that it does
    /// not have.
    pub fn has(&self, name: &str) -> bool {
        self.0.has(name)
    }

    /// How the process is signed (macOS), or what stands for it.
    pub fn signing(&self) -> String {
        self.0.signing()
    }
}

/// What of it this machine offers.
pub fn availability() -> Availability {
    let lacking = Entitlements::current().ok().and_then(|entitlements| {
        let lacks = |name: &&&str| !entitlements.has(name);
        [HYPERVISOR, ALLOW_JIT].iter().find(lacks).copied()
    });
    Availability {
        system: "entitlements",
        available: true,
        how: sys::HOW.to_owned(),
        missing: lacking.map(|name| format!("this process does not have {name}")),
        remedy: lacking.map(|_| sys::REMEDY.to_owned()),
    }
}

//! Why there is no VM.

use thiserror::Error;

/// Why the hypervisor refused. The message says what to do where something can be done.
#[derive(Debug, Error)]
pub enum HypervisorError {
    /// There is no such hypervisor here.
    #[error("{name} is not available: {reason}\n  {remedy}")]
    Unavailable {
        /// The hypervisor.
        name: &'static str,
        /// What is missing.
        reason: String,
        /// How to get it.
        remedy: &'static str,
    },
    /// A call to the hypervisor failed.
    #[error("the hypervisor failed to {action}: {error}")]
    Call {
        /// What was asked.
        action: &'static str,
        /// The system's answer.
        error: std::io::Error,
    },
    /// A feature that every supported machine has is missing.
    #[error("this machine cannot run the guest: {0}")]
    Unsupported(&'static str),
}

impl HypervisorError {
    /// What is wrong, in one line, without what to do about it.
    pub fn reason(&self) -> String {
        match self {
            Self::Unavailable { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }
}

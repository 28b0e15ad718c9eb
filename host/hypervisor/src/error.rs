//! Why there is no VM.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::io;
use thiserror::Error;

/// Why the hypervisor refused. The message says what to do where something can be done.
#[derive(Debug, Error, Serialize, Deserialize)]
pub enum HypervisorError {
    /// There is no such hypervisor here.
    #[error("{name} is not available: {reason}\n  {remedy}")]
    Unavailable {
        /// The hypervisor.
        name: Cow<'static, str>,
        /// What is missing.
        reason: String,
        /// How to get it.
        remedy: Cow<'static, str>,
    },
    /// A call to the hypervisor failed.
    #[error("the hypervisor failed to {action}: {error}")]
    Call {
        /// What was asked.
        action: Cow<'static, str>,
        /// The system's answer.
        #[serde(with = "of_system")]
        error: io::Error,
    },
    /// A feature that every supported machine has is missing.
    #[error("this machine cannot run the guest: {0}")]
    Unsupported(Cow<'static, str>),
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

/// The system's errors in messages between processes: their numbers, or kinds and words.
pub mod of_system {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::io::{self, ErrorKind};

    /// Kinds of errors that programs make.
    const KINDS: [ErrorKind; 10] = [
        ErrorKind::Other,
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::OutOfMemory,
        ErrorKind::InvalidInput,
        ErrorKind::InvalidData,
        ErrorKind::TimedOut,
        ErrorKind::UnexpectedEof,
        ErrorKind::Unsupported,
        ErrorKind::WriteZero,
    ];

    #[derive(Serialize, Deserialize)]
    enum Passed {
        Number(i32),
        Made(u8, String),
    }

    /// Writes one.
    ///
    /// # Errors
    ///
    /// The serializer's.
    pub fn serialize<S: Serializer>(error: &io::Error, to: S) -> Result<S::Ok, S::Error> {
        let kind = || (0..).zip(KINDS).find(|(_, kind)| *kind == error.kind());
        let passed = match error.raw_os_error() {
            Some(number) => Passed::Number(number),
            None => Passed::Made(kind().map_or(0, |(number, _)| number), error.to_string()),
        };
        passed.serialize(to)
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<io::Error, D::Error> {
        Ok(match Passed::deserialize(from)? {
            Passed::Number(number) => io::Error::from_raw_os_error(number),
            Passed::Made(kind, words) => {
                let kind = KINDS.get(usize::from(kind)).copied();
                io::Error::new(kind.unwrap_or(ErrorKind::Other), words)
            }
        })
    }
}

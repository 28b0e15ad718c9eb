//! Exceptions of the guest's processor: as a backend tells of them, and for people.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// An exception of the guest's processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The exception's number; on Arm, its class.
    pub vector: u8,
    /// Address of the instruction.
    pub instruction: u64,
    /// Stack pointer.
    pub stack: u64,
    /// Address that was accessed, for a page fault.
    pub address: Option<u64>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "processor exception {} at instruction {:#x}", self.vector, self.instruction)?;
        match self.address {
            Some(address) => write!(f, ", address {address:#x}"),
            None => Ok(()),
        }
    }
}

/// A processor exception of the guest, as its stub or the backend reports it. For people to read:
/// a hostile guest can forge every word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// The exception's name.
    pub name: Cow<'static, str>,
    /// Its number.
    pub vector: u64,
    /// Address of the instruction.
    pub instruction: u64,
    /// Stack pointer.
    pub stack: u64,
    /// Address that was accessed, for a page fault.
    pub address: Option<u64>,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at instruction {:#x}", self.name, self.instruction)?;
        if let Some(address) = self.address {
            write!(f, ", address {address:#x}")?;
        }
        Ok(())
    }
}

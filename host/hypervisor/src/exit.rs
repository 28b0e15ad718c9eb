//! Why a vCPU stopped, the same for every backend.

use crate::arch::{Fault, Gpa};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a vCPU stopped. Only [`Self::Mailbox`] and [`Self::Kicked`] leave a VM that can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// The runtime delivered the mailbox.
    Mailbox,
    /// A call of [`Kicker::kick`](crate::Kicker::kick).
    Kicked,
    /// The privileged stub has left the report of an exception in SYSTEM (x86-64).
    Exception,
    /// An exception, of which the backend knows: for want of a stub, or from registers.
    Fault(Fault),
    /// The guest called the system that it runs on. The call was not made.
    SystemCall {
        /// The call's number.
        number: u64,
    },
    /// An access to guest-physical memory that is not mapped, or not for this.
    Memory {
        /// The address.
        gpa: Gpa,
        /// Whether it was a write.
        write: bool,
    },
    /// A port access that nobody serves (x86).
    Port {
        /// The port.
        port: u16,
        /// Width of one access in bytes.
        width: u8,
        /// Whether the guest wrote.
        write: bool,
    },
    /// The vCPU waits for an interrupt that cannot come.
    Halt,
    /// An exception while delivering an exception: the vCPU gave up.
    TripleFault,
    /// A signal ended the process that stands for the VM (`process`).
    Killed {
        /// The signal's number.
        signal: u32,
    },
    /// The hypervisor could not go on with this guest.
    Failed {
        /// The hypervisor's own code for the reason.
        code: u64,
    },
    /// An exit of a kind that this VM does not use.
    Unexpected {
        /// The hypervisor's own number for it.
        reason: u32,
    },
}

/// What the guest did, or what happened to it: a clause without its subject.
impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Mailbox => write!(f, "made a hypercall where none may be made"),
            Self::Kicked => write!(f, "was stopped from outside"),
            Self::Exception => write!(f, "took a processor exception"),
            Self::Fault(fault) => write!(f, "took {fault}"),
            Self::SystemCall { number } => write!(f, "tried to make system call {number}"),
            Self::Memory { gpa, write } => {
                let did = if write { "wrote to" } else { "read from" };
                write!(f, "{did} guest-physical {gpa}, which is not its memory")
            }
            Self::Port { port, width, write } => {
                let did = if write { "wrote to" } else { "read from" };
                write!(
                    f,
                    "{did} port {port:#x} ({} bits), which no device serves",
                    u16::from(width) * 8
                )
            }
            Self::Halt => write!(f, "waited for an interrupt, and a VM here has none"),
            Self::TripleFault => write!(f, "took an exception that it could not handle"),
            Self::Killed { signal } => {
                write!(f, "lost its process to {}", wrt_platform::signal::Named(signal))
            }
            Self::Failed { code } => {
                write!(f, "cannot be run any further by the hypervisor (reason {code:#x})")
            }
            Self::Unexpected { reason } => {
                write!(f, "left the VM by an exit that no guest here uses (reason {reason:#x})")
            }
        }
    }
}

//! What a guest does, for those who watch.
//!
//! Exits are lines of text, which are the same wherever the same program runs: they hold no
//! address and no size, since those may differ between processors, whose pages do. The lines are
//! events of the target [`EXITS`], and cost nothing while nobody listens.
//!
//! And they are intervals and values of a [`Recorder`]: when the guest ran, which of its calls
//! was served when, how much memory it had.

use super::calls::Hypercall;
use std::fmt;
use std::sync::LazyLock;
use wrt_abi::{Call, Reply};
use wrt_hypervisor::Exit;
use wrt_platform::trace::Recorder;

/// What `tracing` knows these events by.
pub const EXITS: &str = "exits";

/// What times of a machine are recorded by.
pub(crate) static RECORDER: LazyLock<Recorder> = LazyLock::new(|| Recorder::new("org.wrt-vm"));

impl Hypercall {
    /// What an interval is called in which it is served.
    pub(super) fn name(&self) -> &'static str {
        match self.call {
            Call::Service => match self.import {
                Some(import) => import.function().name,
                None => "a function that there is not",
            },
            Call::RegionReserve => "reserve a region",
            Call::RegionCommit => "commit memory",
            Call::RegionRelease => "release a region",
            Call::CodePublish => "publish code",
            Call::Ready => "ready",
            Call::Done => "answer",
            Call::Panic => "panic",
            Call::OutOfMemory => "out of memory",
        }
    }
}

impl fmt::Display for Hypercall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.call {
            Call::Service => match self.import {
                Some(import) => {
                    write!(f, "{} {}", import.service().table().name, import.function().name)
                }
                None => write!(f, "Service ?"),
            },
            Call::Done => match Reply::try_from(self.request.args[0]) {
                Ok(reply) => write!(f, "Done {reply:?}"),
                Err(_) => write!(f, "Done ?"),
            },
            call => write!(f, "{call:?}"),
        }
    }
}

/// An exit that is no hypercall.
pub(super) struct Other(pub(super) Exit);

impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Exit::Mailbox => "Mailbox",
            Exit::Kicked => "Kicked",
            Exit::Exception | Exit::Fault(_) => "Exception",
            Exit::SystemCall { .. } => "SystemCall",
            Exit::Memory { .. } => "Memory",
            Exit::Port { .. } => "Port",
            Exit::Halt => "Halt",
            Exit::TripleFault => "TripleFault",
            Exit::Killed { .. } => "Killed",
            Exit::Failed { .. } => "Failed",
            Exit::Unexpected { .. } => "Unexpected",
        })
    }
}

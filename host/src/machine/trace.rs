//! What a guest does, for those who watch.
//!
//! Exits are lines of text, which are the same wherever the same program runs: they hold no
//! address and no size, since those may differ between processors, whose pages do. The lines are
//! events of the target [`EXITS`], and cost nothing while nobody listens.
//!
//! And they are intervals and values of a [`Recorder`]: when the guest ran, which of its calls
//! was served when, how much memory it had.

use std::fmt;
use std::sync::LazyLock;
use wrt_abi::mailbox::Request;
use wrt_abi::wasi::FUNCTIONS;
use wrt_abi::{Call, Reply};
use wrt_hypervisor::Exit;
use wrt_platform::trace::Recorder;

/// What `tracing` knows these events by.
pub const EXITS: &str = "exits";

/// What times of a machine are recorded by.
pub(crate) static RECORDER: LazyLock<Recorder> = LazyLock::new(|| Recorder::new("org.wrt-vm"));

/// A hypercall, with what says which one it is.
pub(super) struct Hypercall<'a> {
    pub(super) call: Call,
    pub(super) request: &'a Request,
}

impl Hypercall<'_> {
    /// Name of the WASI function, if it is a call of one.
    fn function(&self) -> Option<&'static str> {
        let index = usize::try_from(self.request.args[0]).ok()?;
        FUNCTIONS.get(index).filter(|_| self.call == Call::Wasi).map(|function| function.name)
    }

    /// What an interval is called in which it is served.
    pub(super) fn name(&self) -> &'static str {
        match self.call {
            Call::Wasi => self.function().unwrap_or("WASI function that there is not"),
            Call::RegionReserve => "reserve a region",
            Call::RegionCommit => "commit memory",
            Call::RegionRelease => "release a region",
            Call::CodePublish => "publish code",
            Call::Log => "log",
            Call::Vector => "vector",
            Call::Ready => "ready",
            Call::Done => "answer",
            Call::Panic => "panic",
            Call::OutOfMemory => "out of memory",
        }
    }
}

impl fmt::Display for Hypercall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.call)?;
        match self.call {
            Call::Wasi => write!(f, " {}", self.function().unwrap_or("?")),
            Call::Done => match Reply::try_from(self.request.args[0]) {
                Ok(reply) => write!(f, " {reply:?}"),
                Err(_) => write!(f, " ?"),
            },
            _ => Ok(()),
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

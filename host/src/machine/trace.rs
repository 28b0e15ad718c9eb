//! Exits as lines of text, which are the same wherever the same program runs.
//!
//! They hold no address and no size: those may differ between processors, whose pages do. The
//! lines are events of the target [`EXITS`], and cost nothing while nobody listens.

use crate::hypervisor::Exit;
use std::fmt;
use wrt_abi::mailbox::Request;
use wrt_abi::wasi::FUNCTIONS;
use wrt_abi::{Call, Reply};

/// What `tracing` knows these events by.
pub const EXITS: &str = "wrt_vm::exits";

/// A hypercall, with what says which one it is.
pub(super) struct Hypercall<'a> {
    pub(super) call: Call,
    pub(super) request: &'a Request,
}

impl fmt::Display for Hypercall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.call)?;
        let number = self.request.args[0];
        match self.call {
            Call::Wasi => {
                let function = usize::try_from(number).ok().and_then(|index| FUNCTIONS.get(index));
                write!(f, " {}", function.map_or("?", |function| function.name))
            }
            Call::Done => match Reply::try_from(number) {
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
            Exit::Failed { .. } => "Failed",
            Exit::Unexpected { .. } => "Unexpected",
        })
    }
}

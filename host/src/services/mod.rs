//! Decodes and serves the guest's hypercalls: one file a service.
//!
//! Everything in a request is hostile. The five rules of this code:
//!
//! 1. A guest-written value is read once, into a copy (the caller has done so); what the
//!    host wrote to guest memory is never read back.
//! 2. Addresses and lengths are checked with overflow-safe arithmetic before any use, lengths
//!    before any allocation; every count is bounded.
//! 3. A wrong call is an error returned or the VM's end, never a panic or an endless loop.
//! 4. Guest text is data ([`text`]).
//! 5. Numbers that the guest gets mean nothing in another VM.

pub(crate) mod log;
#[path = "../machine/calls.rs"]
mod memory;
#[path = "../text.rs"]
pub(crate) mod text;
mod vector;
pub(crate) mod wasi;

use crate::error::{Error, VmEnd};
use crate::machine::{CancelState, GuestMemory};
use wrt_abi::mailbox::{Request, Response};
use wrt_abi::{Call, LogLevel, Status};
use wrt_hypervisor::Vm;

/// Services of one VM.
pub(crate) struct Services {
    /// WASI preview 1.
    pub(crate) wasi: wasi::Wasi,
    /// The guest's log.
    pub(crate) log: log::Log,
}

impl Services {
    /// Services with the given WASI world. The guest's lines go to this process's log unless
    /// somebody else takes them.
    pub(crate) fn new(wasi: wasi::Wasi, forward: Option<log::Forward>) -> Self {
        let log = match forward {
            Some(forward) => log::Log::Forwarded(forward),
            None => log::Log::new(wasi.program()),
        };
        Self { wasi, log }
    }

    /// The next program has another world.
    pub(crate) fn renew(&mut self, wasi: wasi::Wasi) {
        self.log.set_program(wasi.program());
        self.wasi = wasi;
    }
}

/// What a call may touch: parts of its own VM.
pub(crate) struct Context<'a> {
    pub(crate) vm: &'a mut dyn Vm,
    pub(crate) memory: &'a mut GuestMemory,
    pub(crate) services: &'a mut Services,
    pub(crate) cancel: &'a CancelState,
}

/// How a call ends.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The guest goes on with this response and payload.
    Respond(Response, Vec<u8>),
    /// The VM is over.
    End(VmEnd),
}

impl Outcome {
    /// A status and one value.
    fn status(status: Status, value: u64) -> Self {
        let mut response = Response { status: status as u32, ..Response::default() };
        response.values[0] = value;
        Self::Respond(response, Vec::new())
    }
}

/// Serves a call. `payload` is a copy of the bytes that belong to the request.
///
/// # Errors
///
/// Only when the call was interrupted, or the host failed: the VM cannot go on.
pub(crate) fn dispatch(
    call: Call,
    request: &Request,
    payload: &[u8],
    context: Context<'_>,
) -> Result<Outcome, Error> {
    match call {
        Call::RegionReserve => memory::reserve(request.args[0], context),
        Call::RegionCommit => {
            let [region, least, most, ..] = request.args;
            memory::commit(region, least, most, context)
        }
        Call::CodePublish => memory::publish(request.args[0], request.args[1], context),
        Call::RegionRelease => memory::release(request.args[0], context),
        Call::Wasi => wasi::serve(&request.args, context),
        Call::Vector => vector::serve(&request.args, context),
        Call::Log => Ok(match LogLevel::try_from(request.args[0]) {
            Ok(level) => {
                context.services.log.line(level, payload);
                Outcome::status(Status::Ok, 0)
            }
            Err(_) => Outcome::status(Status::Invalid, 0),
        }),
        Call::Panic => Ok(Outcome::End(VmEnd::Panic(text::printable(payload)))),
        Call::OutOfMemory => Ok(Outcome::End(VmEnd::OutOfMemory { wanted: request.args[0] })),
        // The run loop's own; it never passes them on.
        Call::Ready | Call::Done => Ok(Outcome::status(Status::Invalid, 0)),
    }
}

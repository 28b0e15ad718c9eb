//! The guest's calls: the machine's own, for memory and for the VM's end, and those that it hands to
//! the services.

use super::cancel::CancelState;
use super::memory::{GuestMemory, MemoryRefused};
use crate::error::{Error, VmEnd};
use crate::text;
use wrt_abi::mailbox::{Request, Response};
use wrt_abi::{Call, Status};
use wrt_hypervisor::{Gva, Vm};

/// What serves the calls that are not the machine's own.
///
/// Everything in a request is hostile. The five rules of code that serves one:
///
/// 1. A guest-written value is read once, into a copy (the machine has done so); what the
///    host wrote to guest memory is never read back.
/// 2. Addresses and lengths are checked with overflow-safe arithmetic before any use, lengths
///    before any allocation; every count is bounded.
/// 3. A wrong call is an error returned or the VM's end, never a panic or an endless loop.
/// 4. Guest text is data ([`text`]).
/// 5. Numbers that the guest gets mean nothing in another VM.
pub(crate) trait Serve: Send {
    /// Serves a call. `payload` is a copy of the bytes that belong to the request.
    ///
    /// # Errors
    ///
    /// Only when the call was interrupted, or the host failed: the VM cannot go on.
    fn serve(
        &mut self,
        call: Call,
        request: &Request,
        payload: &[u8],
        memory: &mut GuestMemory,
        cancel: &CancelState,
    ) -> Result<Outcome, Error>;
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
    pub(crate) fn status(status: Status, value: u64) -> Self {
        let mut response = Response { status: status as u32, ..Response::default() };
        response.values[0] = value;
        Self::Respond(response, Vec::new())
    }
}

/// What a call may touch: parts of its own VM.
pub(super) struct Context<'a, S> {
    pub(super) vm: &'a mut dyn Vm,
    pub(super) memory: &'a mut GuestMemory,
    pub(super) services: &'a mut S,
    pub(super) cancel: &'a CancelState,
}

/// Serves a call, as [`Serve::serve`].
pub(super) fn dispatch<S: Serve>(
    call: Call,
    request: &Request,
    payload: &[u8],
    context: Context<'_, S>,
) -> Result<Outcome, Error> {
    let Context { vm, memory, services, cancel } = context;
    let [first, second, third, ..] = request.args;
    match call {
        Call::RegionReserve => {
            let reserved = memory.reserve(vm, first).map(|gva| gva.0);
            respond(memory, reserved)
        }
        Call::RegionCommit => {
            let usable = memory.commit(vm, Gva(first), second, third);
            respond(memory, usable)
        }
        Call::CodePublish => {
            let published = memory.publish(vm, Gva(first), second).map(|()| 0);
            respond(memory, published)
        }
        Call::RegionRelease => {
            let released = memory.release(vm, Gva(first)).map(|()| 0);
            respond(memory, released)
        }
        Call::Panic => Ok(Outcome::End(VmEnd::Panic(text::printable(payload)))),
        Call::OutOfMemory => Ok(Outcome::End(VmEnd::OutOfMemory { wanted: first })),
        Call::Wasi | Call::Vector | Call::Log => {
            services.serve(call, request, payload, memory, cancel)
        }
        // The run loop's own; it never passes them on.
        Call::Ready | Call::Done => Ok(Outcome::status(Status::Invalid, 0)),
    }
}

fn respond(memory: &mut GuestMemory, result: Result<u64, MemoryRefused>) -> Result<Outcome, Error> {
    match result {
        Ok(value) => Ok(Outcome::status(Status::Ok, value)),
        Err(MemoryRefused::Unknown) => Ok(Outcome::status(Status::Invalid, 0)),
        // A host without memory is the guest's out-of-memory, not its end.
        Err(MemoryRefused::Limit) => Ok(Outcome::status(Status::Refused, 0)),
        Err(MemoryRefused::System(_)) => {
            memory.note_lack();
            Ok(Outcome::status(Status::Refused, 0))
        }
        Err(MemoryRefused::Hypervisor(error)) => Err(error.into()),
    }
}

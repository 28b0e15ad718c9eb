//! The guest's calls: the machine's own, for memory and for the VM's end, and those that it hands to
//! the services.

use super::cancel::CancelState;
use super::mailbox::Mailbox;
use super::memory::{GuestMemory, MemoryRefused};
use crate::error::{Error, VmEnd};
use crate::text;
use wrt_abi::mailbox::{Request, Response};
use wrt_abi::services::{Arguments, Import};
use wrt_abi::{Call, Status};
use wrt_hypervisor::{Gva, Vm};

/// What serves the functions that programs call.
///
/// Everything in a request is hostile. The five rules of code that serves one:
///
/// 1. A guest-written value is read once, into a copy (the machine has done so with the words);
///    what the host wrote to guest memory is never read back.
/// 2. Addresses and lengths are checked with overflow-safe arithmetic before any use, lengths
///    before any allocation; every count is bounded.
/// 3. A wrong call is an error returned or the VM's end, never a panic or an endless loop.
/// 4. Guest text is data ([`text`]).
/// 5. Numbers that the guest gets mean nothing in another VM.
pub(crate) trait Serve: Send {
    /// Calls a function on the program's linear memory, which is all that it sees of the VM.
    ///
    /// # Errors
    ///
    /// Only when the call was interrupted, or the host failed: the VM cannot go on.
    fn serve(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        cancel: &CancelState,
    ) -> Result<Ended, Error>;
}

/// How a call of a service's function ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It returns the bits of its result, or 0 if it has none.
    Returned(u64),
    /// The program ends with this code.
    Exit(i32),
    /// The caller traps: an argument leads out of the memory.
    OutOfBounds,
    /// The caller traps, for this reason, which is safe to print.
    Trap(String),
    /// The service has no such function.
    Unknown,
}

/// How a call ends.
#[derive(Debug)]
pub(super) enum Outcome {
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

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Returned(bits) => Self::status(Status::Ok, bits),
            Ended::Exit(code) => Self::status(Status::Exit, code.cast_unsigned().into()),
            Ended::OutOfBounds => Self::status(Status::OutOfBounds, 0),
            Ended::Trap(why) => {
                let response = Response { status: Status::Trap as u32, ..Response::default() };
                Self::Respond(response, why.into_bytes())
            }
            Ended::Unknown => Self::status(Status::Invalid, 0),
        }
    }
}

/// A request, and what it asks for.
pub(super) struct Hypercall {
    pub(super) call: Call,
    /// The function of a [`Call::Service`], if there is one.
    pub(super) import: Option<Import>,
    pub(super) request: Request,
}

impl Hypercall {
    /// A call with the guest's request.
    pub(super) fn new(call: Call, request: Request) -> Self {
        let word = (call == Call::Service).then_some(request.args[0]);
        Self { call, import: word.and_then(|word| word.try_into().ok()), request }
    }
}

/// What a call may touch: parts of its own VM.
pub(super) struct Context<'a, S> {
    pub(super) vm: &'a mut dyn Vm,
    pub(super) memory: &'a mut GuestMemory,
    pub(super) mailbox: &'a Mailbox,
    pub(super) services: &'a mut S,
    pub(super) cancel: &'a CancelState,
}

/// Serves a call, under the rules of [`Serve`].
pub(super) fn dispatch<S: Serve>(
    hypercall: &Hypercall,
    context: Context<'_, S>,
) -> Result<Outcome, Error> {
    let Context { vm, memory, mailbox, services, cancel } = context;
    let Request { payload_len, args, .. } = hypercall.request;
    let [first, second, third, arguments @ ..] = args;
    match hypercall.call {
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
        Call::Panic => {
            Ok(Outcome::End(VmEnd::Panic(text::printable(&mailbox.payload(payload_len)))))
        }
        Call::OutOfMemory => Ok(Outcome::End(VmEnd::OutOfMemory { wanted: first })),
        Call::Service => match (hypercall.import, memory.slice(Gva(second), third)) {
            (Some(import), Ok(memory)) => {
                services.serve(import, &arguments, memory, cancel).map(Outcome::from)
            }
            _ => Ok(Outcome::status(Status::Invalid, 0)),
        },
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

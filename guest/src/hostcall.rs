//! Hypercalls: the runtime's side of the mailbox.
//!
//! One function a call of [`wrt_abi::Call`]. Everything that touches the mailbox page is in
//! this file.

use crate::services::Refusal;
use crate::{ahead, arch};
use alloc::string::String;
use core::fmt;
use core::ptr::{addr_of, addr_of_mut};
use wrt_abi::layout::MAILBOX_BASE;
use wrt_abi::mailbox::{Mailbox, PAYLOAD_MAX, REQUEST_ARGS, RESPONSE_VALUES, Request, Response};
use wrt_abi::services::{Arguments, FIRST_ARGUMENT, Import};
use wrt_abi::{ABI_VERSION, Call, Command, EngineKind, Reply, Status};

const MAILBOX: *mut Mailbox = core::ptr::without_provenance_mut(MAILBOX_BASE as usize);

/// The payload bytes of the mailbox.
///
/// A value of this type is a permit: whoever holds it is the only one to use the bytes.
pub struct Payload(());

impl Payload {
    /// The bytes, for reading what the host sent and writing what it shall get.
    pub fn bytes(&mut self) -> &mut [u8; PAYLOAD_MAX] {
        // SAFETY: the host maps the mailbox for the runtime's whole life, all bytes are
        // initialised, and `&mut self` makes the borrow unique: there is one vCPU, and the
        // host touches the page only while it is stopped in `exchange`.
        unsafe { &mut *addr_of_mut!((*MAILBOX).payload) }
    }
}

/// A command from the host.
pub struct Order {
    /// What to do; `None` for a number that this kernel does not know.
    pub command: Option<Command>,
    /// The command's words.
    pub words: [u64; RESPONSE_VALUES - 1],
    /// Bytes of the payload that belong to the command.
    pub payload_len: usize,
    /// The payload, free for the reply.
    pub payload: Payload,
}

/// The answer to a command.
pub struct Answer {
    /// How it ended.
    pub reply: Reply,
    /// The reply's words.
    pub words: [u64; 3],
    /// Bytes written to the payload.
    pub payload_len: usize,
}

impl Answer {
    /// An answer with words and no payload.
    pub fn new(reply: Reply, words: [u64; 3]) -> Self {
        Self { reply, words, payload_len: 0 }
    }

    /// An answer that went well, with one word.
    pub fn ok(word: u64) -> Self {
        Self::new(Reply::Ok, [word, 0, 0])
    }
}

fn exchange(call: Call, args: [u64; REQUEST_ARGS], payload_len: usize) -> Response {
    let payload_len = u32::try_from(payload_len).unwrap_or(0);
    let request = Request { call: call as u32, payload_len, args };
    // SAFETY: the mailbox is mapped, aligned and only used from here (see `Payload::bytes`);
    // volatile, because the host reads and writes it between the two accesses.
    unsafe {
        addr_of_mut!((*MAILBOX).request).write_volatile(request);
        arch::trap_to_host();
        addr_of!((*MAILBOX).response).read_volatile()
    }
}

fn words<const N: usize>(given: [u64; N]) -> [u64; REQUEST_ARGS] {
    let mut args = [0; REQUEST_ARGS];
    args[..N].copy_from_slice(&given);
    args
}

fn order(response: Response) -> Order {
    let [command, words @ ..] = response.values;
    Order {
        command: Command::try_from(command).ok(),
        words,
        payload_len: (response.payload_len as usize).min(PAYLOAD_MAX),
        payload: Payload(()),
    }
}

/// [`Call::Ready`].
pub fn ready(engine: EngineKind) -> Order {
    order(exchange(Call::Ready, words([ABI_VERSION.into(), engine as u64]), 0))
}

/// [`Call::Done`]. Takes the payload permit back. `refused` tells whether the program was ever
/// refused memory.
pub fn done(answer: Answer, _payload: Payload, refused: bool) -> Order {
    // The host answers that without a payload: the reply's stays.
    ahead::end();
    let [a, b, c] = answer.words;
    let words = words([answer.reply as u64, a, b, c, refused.into()]);
    order(exchange(Call::Done, words, answer.payload_len))
}

/// [`Call::Panic`], with `len` bytes of message in the payload.
pub fn panic(len: usize) -> ! {
    exchange(Call::Panic, words([]), len);
    stop()
}

/// [`Call::OutOfMemory`].
pub fn out_of_memory(wanted: usize) -> ! {
    exchange(Call::OutOfMemory, words([wanted as u64]), 0);
    stop()
}

/// The host does not resume a VM after its last call; should it, nothing may run on.
fn stop() -> ! {
    loop {
        arch::trap_to_host();
    }
}

/// [`Call::RegionReserve`]: the new region's address.
pub fn region_reserve(len: usize) -> Option<usize> {
    let response = exchange(Call::RegionReserve, words([len as u64]), 0);
    granted(&response)
}

/// [`Call::RegionCommit`]: bytes that are usable now, from `least` to `most`.
pub fn region_commit(base: usize, least: usize, most: usize) -> Option<usize> {
    let args = words([base as u64, least as u64, most as u64]);
    let response = exchange(Call::RegionCommit, args, 0);
    granted(&response).filter(|&usable| usable >= least)
}

/// [`Call::RegionRelease`].
pub fn region_release(base: usize) {
    exchange(Call::RegionRelease, words([base as u64]), 0);
}

/// [`Call::CodePublish`]: whether the range can be executed now.
#[cfg(feature = "native")]
pub fn code_publish(base: usize, len: usize) -> bool {
    let response = exchange(Call::CodePublish, words([base as u64, len as u64]), 0);
    granted(&response).is_some()
}

fn granted(response: &Response) -> Option<usize> {
    let ok = response.status == Status::Ok as u32;
    ok.then(|| usize::try_from(response.values[0]).ok())?
}

/// [`Call::Service`]: the bits of the function's result, if it has one.
///
/// The host reads and writes `memory` in the meantime.
pub fn service(import: Import, memory: &mut [u8], arguments: &Arguments) -> Result<u64, Refusal> {
    let mut args = [0; REQUEST_ARGS];
    args[0] = import.word();
    args[1] = memory.as_mut_ptr().expose_provenance() as u64;
    args[2] = memory.len() as u64;
    args[FIRST_ARGUMENT..].copy_from_slice(arguments);
    let response = exchange(Call::Service, args, 0);
    let value = response.values[0];
    match Status::try_from(response.status) {
        Ok(Status::Ok) => Ok(value),
        Ok(Status::Exit) => Err(Refusal::Exit(i32_of(value))),
        Ok(Status::OutOfBounds) => Err(Refusal::OutOfBounds),
        _ => Err(Refusal::Message(message(response.payload_len as usize))),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an i32 travels in the low half")]
fn i32_of(word: u64) -> i32 {
    (word as u32).cast_signed()
}

/// The message of a trap: the payload during a host call that a command led to, which has read
/// its own by then.
fn message(len: usize) -> String {
    let mut payload = Payload(());
    let bytes = &payload.bytes()[..len.min(PAYLOAD_MAX)];
    String::from_utf8_lossy(bytes).into_owned()
}

/// Formats into the payload; cuts what does not fit.
pub struct PayloadWriter {
    payload: Payload,
    len: usize,
}

impl PayloadWriter {
    /// Starts at the payload's first byte. For the end of the VM only: whatever the payload
    /// held is lost.
    pub fn new() -> Self {
        Self { payload: Payload(()), len: 0 }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.len
    }

    /// What was written.
    pub fn as_bytes(&mut self) -> &[u8] {
        let len = self.len;
        &self.payload.bytes()[..len]
    }
}

impl fmt::Write for PayloadWriter {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let rest = &mut self.payload.bytes()[self.len..];
        let len = text.len().min(rest.len());
        rest[..len].copy_from_slice(&text.as_bytes()[..len]);
        self.len += len;
        Ok(())
    }
}

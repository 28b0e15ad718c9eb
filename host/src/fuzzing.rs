//! What guests, files and other processes can feed this library, for fuzzers.
//!
//! Thin functions that lead to internals: nothing is decided here. It is no part of the
//! interface; `tests/fuzz` is for whom it is. A guest's exits and memory need none of this: a
//! [`Hypervisor`](crate::hypervisor::Hypervisor) can be anybody's.

use crate::artifact::{Header, Target};
use crate::cache::file_name;
use crate::compiler::source;
use crate::hypercall::wasi::{OutputBuffer, WasiConfig};
use crate::hypervisor::arm::{self, Decoded, Identity, Syndrome};
use crate::hypervisor::{Access, Exit, Fault, Gva};
use crate::machine::image::{Image, Segment};
use crate::machine::mailbox;
use crate::module::Module;
use crate::worker::channel::{Channel, Endless};
use crate::worker::message::{self, Message, Request, Response};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use wrt_abi::cpu::CpuFeatures;
use wrt_abi::mailbox::MAILBOX_SIZE;

/// Decodes an exit of KVM on x86-64.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn kvm_x86_64_exit(reason: u32, data: [u8; 24]) -> Exit {
    use crate::hypervisor::kvm::{raw::RawExit, x86_64::exit::decode};
    decode(RawExit { reason, data })
}

/// Decodes an exit of KVM on arm64; `None` is the stub's report of a fault.
#[cfg(target_os = "linux")]
pub fn kvm_aarch64_exit(reason: u32, data: [u8; 24]) -> Option<Exit> {
    use crate::hypervisor::kvm::{aarch64_exit::decode, raw::RawExit};
    exit(decode(RawExit { reason, data }))
}

/// Guest-physical address of the doorbell of KVM's Arm guests.
#[cfg(target_os = "linux")]
pub const KVM_DOORBELL: u64 = crate::hypervisor::kvm::aarch64_exit::DOORBELL_GPA.0;

/// Decodes an exit of Apple's hypervisor; `None` is the stub's report of a fault.
pub fn arm_exit(esr: u64, gpa: u64) -> Option<Exit> {
    exit(arm::decode(Syndrome { esr, gpa }))
}

/// Decodes an Arm stub's report of a fault.
pub fn arm_fault(report: [u64; 4]) -> Fault {
    arm::fault(report)
}

/// What an Arm processor's identity allows compiled code, unless it is refused.
pub fn arm_identity([mmfr0, mmfr1, isar0, isar1]: [u64; 4]) -> Option<CpuFeatures> {
    let identity = Identity {
        memory_model_0: mmfr0,
        memory_model_1: mmfr1,
        instructions_0: isar0,
        instructions_1: isar1,
    };
    identity.check().ok().map(|()| identity.code_features())
}

fn exit(decoded: Decoded) -> Option<Exit> {
    match decoded {
        Decoded::Exit(exit) => Some(exit),
        Decoded::Fault => None,
    }
}

/// What becomes of a stopped child process.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It is resumed.
    Resumes,
    /// The guest takes an exception, if it wants to.
    Takes(Fault),
    /// The vCPU exits.
    Exits(Exit),
}

/// Decodes a stop of the `process` backend's child: `waitpid`'s status, the signal's code and
/// address, and the registers for the next instruction, the stack and a system call's number.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn process_stop(status: i32, code: i32, words: [u64; 4]) -> Stopped {
    use crate::hypervisor::process::stop::{RawStop, Stop, decode};
    let [address, instruction, stack, call] = words;
    match decode(RawStop { status, code, address, instruction, stack, call }) {
        Stop::Breakpoint => Stopped::Exits(Exit::Mailbox),
        Stop::Disturbed => Stopped::Resumes,
        Stop::Fault(fault) => Stopped::Takes(fault),
        Stop::Exception(fault) => Stopped::Exits(Exit::Fault(fault)),
        Stop::SystemCall { number } => Stopped::Exits(Exit::SystemCall { number }),
        Stop::Killed { signal } => Stopped::Exits(Exit::Killed { signal }),
        Stop::Failed { code } => Stopped::Exits(Exit::Failed { code }),
        Stop::Unexpected { reason } => Stopped::Exits(Exit::Unexpected { reason }),
    }
}

/// The host's side of a mailbox.
pub struct Mailbox<'a> {
    mailbox: mailbox::Mailbox,
    page: PhantomData<&'a mut [u64]>,
}

impl<'a> Mailbox<'a> {
    /// A mailbox on a page.
    pub fn new(page: &'a mut [u64; MAILBOX_SIZE / 8]) -> Self {
        // SAFETY: (1) borrowed for this value's life, (2) and made of words.
        let mailbox = unsafe { mailbox::Mailbox::new(NonNull::from(page).cast()) };
        Self { mailbox, page: PhantomData }
    }

    /// Copies the request.
    pub fn request(&self) -> wrt_abi::mailbox::Request {
        self.mailbox.request()
    }

    /// Copies a payload.
    pub fn payload(&self, len: u32) -> Vec<u8> {
        self.mailbox.payload(len)
    }

    /// Writes a response.
    pub fn respond(&mut self, response: wrt_abi::mailbox::Response, payload: &[u8]) {
        self.mailbox.respond(response, payload);
    }
}

/// A checked image of a guest kernel.
#[derive(Debug)]
pub struct ParsedImage<'a> {
    /// First instruction.
    pub entry: Gva,
    /// Where faults go, and their stack.
    pub faults: Option<(Gva, Gva)>,
    /// Its parts.
    pub parts: Vec<ImagePart<'a>>,
    /// Which of them may be copied to large pages.
    pub on_large_pages: Option<Gva>,
}

/// A part of an image.
#[derive(Clone, Copy, Debug)]
pub struct ImagePart<'a> {
    /// Where it goes.
    pub gva: Gva,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its size in memory.
    pub size: u64,
    /// What the guest may do with it.
    pub access: Access,
    /// Whether only the stub may reach it.
    pub privileged: bool,
}

/// Loads an image, unless it is malformed.
pub fn parse_image(file: &[u8]) -> Option<ParsedImage<'_>> {
    let image = Image::parse(file).ok()?;
    Some(ParsedImage {
        entry: image.entry,
        faults: image.faults.map(|handler| (handler.entry, handler.stack)),
        parts: image.segments.iter().map(part).collect(),
        on_large_pages: image.code_on_large_pages().map(|code| code.gva),
    })
}

fn part<'a>(segment: &Segment<'a>) -> ImagePart<'a> {
    let Segment { gva, bytes, size, access, privileged } = *segment;
    ImagePart { gva, bytes, size, access, privileged }
}

/// Name of a code cache's file for a module.
pub fn cache_file_name(module: &Module, target: Target) -> String {
    file_name(source(module, target))
}

/// Contents of that file, if the compiler had written `code`.
pub fn cache_file(module: &Module, target: Target, code: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let header = Header::new(target, source(module, target), code);
    // A vector takes everything.
    let _ = header.write(code, &mut file);
    file
}

/// Receives what a worker says, as its parent does, until it makes no sense or is over; returns
/// how many responses that were. At most `room` bytes of output are taken.
pub fn receive_from_worker(socket: UnixStream, room: usize) -> usize {
    let Ok(channel) = Channel::new(socket) else { return 0 };
    let output = OutputBuffer::new(room);
    let mut count = 0;
    while let Ok((message, _descriptors)) = channel.receive::<Message>(&Endless) {
        match message {
            // It says nothing of a request.
            Message::Line { .. } => {}
            Message::Output { bytes, .. } => output.append(&bytes),
            Message::Response(Response { result, .. }) => {
                match result {
                    Ok(done) => drop(done.answer()),
                    Err(failure) => drop(failure.into_error(None).to_string()),
                }
                count += 1;
            }
        }
    }
    assert!(output.contents().len() <= room, "more output than there is room for");
    count
}

/// Receives what a parent says, as its worker does; as [`receive_from_worker`].
pub fn receive_from_parent(socket: UnixStream) -> usize {
    let Ok(channel) = Channel::new(socket) else { return 0 };
    let mut count = 0;
    while let Ok((request, descriptors)) = channel.receive::<Request>(&Endless) {
        match request {
            Request::Build { engine, stack_size, memory_limit, world, .. } => {
                let _ = message::config(engine, stack_size, memory_limit);
                let _ = WasiConfig::from_world(world, descriptors);
            }
            Request::Reset { world } | Request::Restore { world, .. } => {
                let _ = WasiConfig::from_world(world, descriptors);
            }
            Request::Command { command, .. } => {
                let _ = message::command(command);
            }
            Request::Prepare { .. }
            | Request::Share { .. }
            | Request::Unshare { .. }
            | Request::Read { .. }
            | Request::Write { .. } => {}
        }
        count += 1;
    }
    count
}

//! What guests, files and other processes can feed this library, for fuzzers.
//!
//! Thin functions that lead to internals: nothing is decided here. It is no part of the
//! interface; `tests/fuzz` is for whom it is. A guest's exits and memory need none of this: a
//! [`Hypervisor`](crate::hypervisor::Hypervisor) can be anybody's.

use crate::artifact::{Header, Target};
use crate::engine::cache::file_name;
use crate::machine::image::{Image, Segment};
use crate::machine::mailbox;
use crate::module::Module;
use crate::placement::Order;
use crate::placement::worker::channel::{Channel, Endless};
use crate::placement::worker::message::{Message, Plan, Response};
use crate::world::{OutputBuffer, World};
use std::marker::PhantomData;
use std::os::unix::net::UnixStream;
use std::ptr::NonNull;
use wrt_abi::mailbox::MAILBOX_SIZE;
pub use wrt_hypervisor::fuzzing::*;
use wrt_hypervisor::{Access, Gva};

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
    file_name(module.source(target))
}

/// Contents of that file, if the compiler had written `code`.
pub fn cache_file(module: &Module, target: Target, code: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let header = Header::new(target, module.source(target), code);
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
    while let Ok(message) = channel.receive::<Message<'_>>(&Endless) {
        match message {
            // It says nothing of a request.
            Message::Line { .. } => {}
            Message::Output { bytes, .. } => output.append(&bytes),
            Message::Built(Err(error)) | Message::Response(Response { result: Err(error), .. }) => {
                drop(error.to_string());
                count += 1;
            }
            Message::Built(Ok(_)) | Message::Response(_) => count += 1,
        }
    }
    assert!(output.contents().len() <= room, "more output than there is room for");
    count
}

/// Receives what a parent says, as its worker does; as [`receive_from_worker`].
pub fn receive_from_parent(socket: UnixStream) -> usize {
    let Ok(channel) = Channel::new(socket) else { return 0 };
    if channel.receive::<Plan<World>>(&Endless).is_err() {
        return 0;
    }
    let mut count = 1;
    while channel.receive::<(u64, Order<'_>)>(&Endless).is_ok() {
        count += 1;
    }
    count
}

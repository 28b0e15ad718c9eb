//! Messages of workers, and of their parents: any bytes, with any descriptors, are refused or
//! become a message, and take no more memory than the longest may.

use crate::allocations::largest;
use arbitrary::Arbitrary;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::fs::File;
use std::io::{IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use wrt_vm::fuzzing::{receive_from_parent, receive_from_worker};

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    to_worker: bool,
    room: u16,
    messages: Vec<Message<'a>>,
}

#[derive(Arbitrary, Debug)]
struct Message<'a> {
    /// A length other than its own.
    len: Option<u32>,
    /// A number of descriptors other than its own.
    count: Option<u8>,
    descriptors: u8,
    body: &'a [u8],
}

/// The longest message in bytes.
const LONGEST: usize = 64 << 20;
/// What a socket holds while nobody reads.
const BYTES: usize = 32 << 10;

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(case) = crate::input::<Case<'_>>(data) else { return };
    let (mut ours, theirs) = UnixStream::pair().expect("sockets");
    let mut sent = 0;
    for message in &case.messages {
        sent += message.body.len() + 8;
        if sent > BYTES {
            break;
        }
        message.send(&mut ours).expect("the other end is there");
    }
    drop(ours);
    let (received, largest) = largest(|| match case.to_worker {
        true => receive_from_parent(theirs),
        false => receive_from_worker(theirs, case.room.into()),
    });
    assert!(largest <= LONGEST, "{largest} bytes for a message");
    assert!(received <= case.messages.len() + sent / 8);
}

impl Message<'_> {
    fn send(&self, to: &mut UnixStream) -> std::io::Result<()> {
        let descriptors = usize::from(self.descriptors % 4);
        let own = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        let count = self.count.map_or(descriptors as u32, u32::from);
        let header = [self.len.unwrap_or(own), count].map(u32::to_le_bytes).concat();
        let null = File::open("/dev/null")?;
        let descriptors = vec![null.as_fd(); descriptors];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let sent = sendmsg(&to, &[IoSlice::new(&header)], &mut ancillary, SendFlags::empty())?;
        to.write_all(&header[sent..])?;
        to.write_all(self.body)
    }
}

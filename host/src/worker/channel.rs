//! Messages over a socket, with file descriptors.
//!
//! A message is its length, the number of descriptors that come with it, and `postcard`'s bytes.

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use wrt_platform::socket::{SEND, send_without_signal};

/// The longest message: a payload of the mailbox, or captured output.
pub(super) const MESSAGE_MAX: usize = 64 << 20;
/// The most descriptors with one message; Linux passes 253.
pub(super) const DESCRIPTORS_MAX: usize = 200;
const HEADER: usize = 8;

/// One end of a socket.
pub(crate) struct Channel(UnixStream);

impl Channel {
    pub(crate) fn new(socket: UnixStream) -> Self {
        send_without_signal(&socket);
        Self(socket)
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` and the like when nobody is there; `InvalidInput` for one that is too long.
    pub(super) fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let bytes = postcard::to_allocvec(message).map_err(io::Error::other)?;
        if bytes.len() > MESSAGE_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too much for one message"));
        }
        let header = [bytes.len(), descriptors.len()]
            .map(|word| u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes())
            .concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let sent = loop {
            let slice = [IoSlice::new(&header)];
            match sendmsg(self.0.as_fd(), &slice, &mut ancillary, SEND) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        (&self.0).write_all(&header[sent..])?;
        (&self.0).write_all(&bytes)
    }

    /// Waits for a message.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the other end is gone; `InvalidData` for what is none.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> io::Result<(T, Vec<OwnedFd>)> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut header = [0; HEADER];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let slice = &mut [IoSliceMut::new(&mut header)];
            match recvmsg(self.0.as_fd(), slice, &mut ancillary, RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                other => break other?.bytes,
            }
        };
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Kept from other programs as soon as they are ours; those that nobody takes are closed.
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        for descriptor in &descriptors {
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
        }
        (&self.0).read_exact(&mut header[received..])?;
        let [a, b, c, d, e, f, g, h] = header;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        let count = u32::from_le_bytes([e, f, g, h]) as usize;
        if len > MESSAGE_MAX || count != descriptors.len() {
            return Err(invalid("a message of impossible size"));
        }
        let mut bytes = vec![0; len];
        (&self.0).read_exact(&mut bytes)?;
        let message = postcard::from_bytes(&bytes).map_err(|_| invalid("a malformed message"))?;
        Ok((message, descriptors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Seek as _;

    fn pair() -> (Channel, UnixStream) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one), other)
    }

    #[test]
    fn messages_arrive_with_their_descriptors() {
        let (sender, other) = pair();
        let receiver = Channel::new(other);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"inside").unwrap();
        file.rewind().unwrap();
        sender.send(&("hello", 42), &[file.as_fd()]).unwrap();
        sender.send(&(String::from("again"), 1), &[]).unwrap();
        let ((text, number), files) = receiver.receive::<(String, i32)>().unwrap();
        assert_eq!((text.as_str(), number, files.len()), ("hello", 42, 1));
        let mut inside = String::new();
        std::fs::File::from(files.into_iter().next().unwrap()).read_to_string(&mut inside).unwrap();
        assert_eq!(inside, "inside");
        assert_eq!(receiver.receive::<(String, i32)>().unwrap().0.0, "again");
        drop(sender);
        let end = receiver.receive::<(String, i32)>().unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn impossible_lengths_are_refused_before_memory_is_taken() {
        let (receiver, mut other) = pair();
        other.write_all(&u32::MAX.to_le_bytes()).unwrap();
        other.write_all(&0u32.to_le_bytes()).unwrap();
        let refused = receiver.receive::<String>().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    }

    proptest! {
        #[test]
        fn any_bytes_are_received_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (receiver, mut other) = pair();
            let len = u32::try_from(bytes.len()).unwrap();
            other.write_all(&len.to_le_bytes()).unwrap();
            other.write_all(&0u32.to_le_bytes()).unwrap();
            other.write_all(&bytes).unwrap();
            drop(other);
            let _ = receiver.receive::<super::super::message::Message>();
        }
    }
}

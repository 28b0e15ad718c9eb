//! Messages over a socket, with file descriptors.
//!
//! A message is its length, the number of [descriptors](passing) that come with it, and `postcard`'s
//! bytes.
//! The socket does not block: a wait for the other end goes on for as long as a [`Patience`] lasts.

use crate::world::passing;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, recv, recvmsg, send, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;
use wrt_platform::socket::{SEND, send_without_signal};
use wrt_platform::wake::Waker;

/// The longest message. Whatever can be longer goes in pieces or as a file.
pub(super) const MESSAGE_MAX: usize = 16 << 20;
/// The most descriptors with one message; Linux passes 253.
pub(super) const DESCRIPTORS_MAX: usize = 200;
const HEADER: usize = 8;

/// How long a thread waits for the other end.
pub(crate) trait Patience {
    /// How long to wait from now on; `None` is without end.
    fn left(&self) -> Option<Duration>;

    /// What interrupts a wait, so that [`Self::left`] is asked again.
    fn waker(&self) -> Option<&Waker> {
        None
    }
}

/// Waits until the other end answers or is gone: for a worker, whose parent may be idle for days.
pub(crate) struct Endless;

impl Patience for Endless {
    fn left(&self) -> Option<Duration> {
        None
    }
}

/// A message that can be sent, with its descriptors.
pub(super) struct Packed {
    bytes: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Packed {
    /// # Errors
    ///
    /// `InvalidInput` for a message that is too long, others when the system has no descriptor for
    /// a part of it.
    pub(super) fn new(message: &impl Serialize) -> io::Result<Self> {
        let (bytes, descriptors) = passing::written(|| postcard::to_allocvec(message))?;
        match bytes.len() > MESSAGE_MAX || descriptors.len() > DESCRIPTORS_MAX {
            true => Err(too_much(bytes.len(), descriptors.len())),
            false => Ok(Self { bytes, descriptors }),
        }
    }
}

/// One end of a socket.
pub(crate) struct Channel(UnixStream);

impl Channel {
    /// # Errors
    ///
    /// When the system does not let the socket be one that does not block.
    pub(crate) fn new(socket: UnixStream) -> io::Result<Self> {
        send_without_signal(&socket);
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// Those of [`Packed::new`] and [`Self::send_packed`].
    pub(super) fn send(
        &self,
        message: &impl Serialize,
        patience: &impl Patience,
    ) -> io::Result<()> {
        self.send_packed(&Packed::new(message)?, patience)
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` and the like when the other end is gone; `TimedOut` when it does not read
    /// while the patience lasts.
    pub(super) fn send_packed(
        &self,
        Packed { bytes, descriptors }: &Packed,
        patience: &impl Patience,
    ) -> io::Result<()> {
        let header = [bytes.len(), descriptors.len()]
            .map(|word| u32::try_from(word).unwrap_or(u32::MAX).to_le_bytes())
            .concat();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptors.iter().map(OwnedFd::as_fd).collect();
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let slice = [IoSlice::new(&header)];
        let sent = self.retry(PollFlags::OUT, patience, || {
            sendmsg(self.0.as_fd(), &slice, &mut ancillary, SEND)
        })?;
        self.send_all(&header[sent..], patience)?;
        self.send_all(bytes, patience)
    }

    fn send_all(&self, mut bytes: &[u8], patience: &impl Patience) -> io::Result<()> {
        while !bytes.is_empty() {
            let sent = self.retry(PollFlags::OUT, patience, || send(&self.0, bytes, SEND))?;
            bytes = &bytes[sent..];
        }
        Ok(())
    }

    /// Waits for a message.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the other end is gone; `TimedOut` when it says nothing, or half a
    /// message, while the patience lasts; `InvalidData` for what is no message.
    pub(crate) fn receive<T: DeserializeOwned>(&self, patience: &impl Patience) -> io::Result<T> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut header = [0; HEADER];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = self.retry(PollFlags::IN, patience, || {
            let slice = &mut [IoSliceMut::new(&mut header)];
            recvmsg(self.0.as_fd(), slice, &mut ancillary, RecvFlags::empty())
        })?;
        let received = received.bytes;
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Kept from other programs as soon as they are ours; those without a taker are closed.
        let mut descriptors = Vec::new();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                descriptors.extend(received);
            }
        }
        for descriptor in &descriptors {
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
        }
        self.receive_all(&mut header[received..], patience)?;
        let [a, b, c, d, e, f, g, h] = header;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        let count = u32::from_le_bytes([e, f, g, h]) as usize;
        if len > MESSAGE_MAX || count != descriptors.len() {
            return Err(invalid("a message of impossible size"));
        }
        let mut bytes = vec![0; len];
        self.receive_all(&mut bytes, patience)?;
        let message = passing::read(descriptors, || postcard::from_bytes(&bytes).ok());
        message.ok_or_else(|| invalid("a malformed message"))
    }

    fn receive_all(&self, mut to: &mut [u8], patience: &impl Patience) -> io::Result<()> {
        while !to.is_empty() {
            let received = self.retry(PollFlags::IN, patience, || {
                recv(&self.0, &mut *to, RecvFlags::empty()).map(|(received, _)| received)
            })?;
            if received == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            to = &mut to[received..];
        }
        Ok(())
    }

    /// Makes a call that does not block until it has done something. Ends, because each round
    /// that has done nothing waits, and waiting ends with the patience.
    fn retry<T>(
        &self,
        ready: PollFlags,
        patience: &impl Patience,
        mut call: impl FnMut() -> Result<T, Errno>,
    ) -> io::Result<T> {
        loop {
            // Before the call, too: the other end may send without a pause.
            let left = patience.left();
            if left.is_some_and(|left| left.is_zero()) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match call() {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => self.wait(ready, left, patience.waker())?,
                other => return Ok(other?),
            }
        }
    }

    /// Waits until the socket is ready, some time is over, or a waker wakes.
    fn wait(
        &self,
        ready: PollFlags,
        left: Option<Duration>,
        waker: Option<&Waker>,
    ) -> io::Result<()> {
        // A time that no timer can have is as good as none.
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let socket = PollFd::new(&self.0, ready);
        let waited = match waker {
            None => poll(&mut [socket], timeout.as_ref()),
            Some(waker) => {
                let mut both =
                    [socket, PollFd::from_borrowed_fd(waker.descriptor(), PollFlags::IN)];
                let waited = poll(&mut both, timeout.as_ref());
                if !both[1].revents().is_empty() {
                    waker.clear();
                }
                waited
            }
        };
        match waited {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What does not fit.
fn too_much(bytes: usize, descriptors: usize) -> io::Error {
    let what = format!(
        "a message of {bytes} bytes and {descriptors} descriptors is too long for a worker process: \
         {MESSAGE_MAX} bytes (of arguments and environment together) and {DESCRIPTORS_MAX} \
         directories are the most"
    );
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(test)]
mod tests;

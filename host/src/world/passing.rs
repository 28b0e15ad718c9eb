//! An open world on its way to a worker: its descriptors go beside the message.
//!
//! A value that has a descriptor adds it to a list as it is written, and takes the next one from the
//! list as it is read. The list is the thread's own, for as long as one message is written or read.

use super::{Input, Output, OutputBuffer, OutputFile};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use wrt_platform::descriptors::replace_stream;
use wrt_platform::memory::{SharedBytes, unnamed_file};

/// Bytes of standard input that go in a message; more go in a file.
const IN_MESSAGE: usize = 64 << 10;

// Numbers of the standard streams, on every system.
const STDIN: i32 = 0;
pub(super) const STDOUT: i32 = 1;
pub(super) const STDERR: i32 = 2;

#[derive(Default)]
struct Passed {
    descriptors: VecDeque<OwnedFd>,
    /// Why there is none for a value: serializers have no errors of the system.
    error: Option<io::Error>,
}

thread_local! {
    static PASSED: RefCell<Passed> = RefCell::default();
}

/// Writes a message; returns it with its descriptors.
///
/// # Errors
///
/// When the system has no descriptor for a part of it, or that is what `write` says.
pub(crate) fn written<T, E: Into<Box<dyn Error + Send + Sync>>>(
    write: impl FnOnce() -> Result<T, E>,
) -> io::Result<(T, Vec<OwnedFd>)> {
    PASSED.take();
    let written = write();
    let Passed { descriptors, error } = PASSED.take();
    match (written, error) {
        (Ok(message), _) => Ok((message, descriptors.into())),
        (Err(_), Some(error)) => Err(error),
        (Err(other), None) => Err(io::Error::other(other)),
    }
}

/// Reads a message that came with these descriptors: with all of them, or it is none.
pub(crate) fn read<T>(descriptors: Vec<OwnedFd>, read: impl FnOnce() -> Option<T>) -> Option<T> {
    PASSED.set(Passed { descriptors: descriptors.into(), error: None });
    let message = read();
    let left = PASSED.take().descriptors;
    message.filter(|_| left.is_empty())
}

/// A descriptor that can be passed.
#[derive(Debug)]
pub(crate) struct Descriptor(pub(crate) OwnedFd);

impl Serialize for Descriptor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let copy = self.0.try_clone().map_err(remember)?;
        PASSED.with_borrow_mut(|passed| passed.descriptors.push_back(copy));
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Descriptor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer)?;
        let next = PASSED.with_borrow_mut(|passed| passed.descriptors.pop_front());
        next.map(Self).ok_or_else(|| D::Error::custom("a descriptor is missing"))
    }
}

fn remember<E: ser::Error>(error: io::Error) -> E {
    let words = E::custom(&error);
    PASSED.with_borrow_mut(|passed| passed.error = Some(error));
    words
}

/// Bytes of a file that does not change any more.
#[derive(Serialize, Deserialize)]
struct InFile {
    file: Descriptor,
    len: usize,
}

impl InFile {
    fn of(file: io::Result<OwnedFd>, len: usize) -> io::Result<Self> {
        Ok(Self { file: Descriptor(file?), len })
    }

    fn map<E: serde::de::Error>(self) -> Result<Arc<SharedBytes>, E> {
        let file = File::from(self.file.0);
        // SAFETY: the process that wrote the message has made the file for this alone. A worker
        // reads such messages, of its parent; it writes none.
        let bytes = unsafe { SharedBytes::map_file(&file, 0, self.len) };
        bytes.map(Arc::new).map_err(E::custom)
    }
}

/// For shared bytes in a message.
pub(crate) mod bytes {
    use super::{
        Arc, Deserialize, Deserializer, InFile, Serialize, Serializer, SharedBytes, remember,
    };

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Arc<SharedBytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let file = InFile::of(bytes.to_file(), bytes.as_slice().len()).map_err(remember)?;
        file.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<SharedBytes>, D::Error> {
        InFile::deserialize(deserializer)?.map()
    }
}

/// Where a worker's program reads from.
#[derive(Serialize, Deserialize)]
enum Source<'a> {
    /// The parent's own input, which becomes the worker's own. A closed one has nothing to read.
    Own(Option<Descriptor>),
    Bytes(Cow<'a, [u8]>),
    File(InFile),
}

impl Serialize for Input {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = |file| InFile::of(file, self.bytes().len()).map(Source::File);
        let source = match self {
            Self::Inherited => Ok(Source::Own(own(&io::stdin()))),
            Self::Bytes(bytes) if bytes.len() <= IN_MESSAGE => Ok(Source::Bytes(bytes.into())),
            Self::Bytes(bytes) => file(unnamed_file(bytes)),
            Self::Shared(bytes) => file(bytes.to_file()),
        };
        source.map_err(remember)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Source::deserialize(deserializer)? {
            Source::Own(Some(stream)) => {
                become_own(STDIN, stream)?;
                Self::Inherited
            }
            Source::Own(None) => Self::Bytes(Vec::new()),
            Source::Bytes(bytes) => Self::Bytes(bytes.into_owned()),
            Source::File(file) => Self::Shared(file.map()?),
        })
    }
}

/// Where a worker's program writes to.
#[derive(Serialize, Deserialize)]
enum Sink {
    Discard,
    /// Where the parent's own output goes; it becomes the worker's own. A closed one takes nothing.
    Own(Option<Descriptor>),
    /// To the parent, before each response; no more than so many bytes in all.
    Capture(usize),
    /// To a file that the parent takes over; no more than so many bytes.
    File(Descriptor, u64),
}

/// Writes where the output of this number goes.
pub(super) fn write_output<const NUMBER: i32, S: Serializer>(
    output: &Output,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let sink = match output {
        Output::Discard => Sink::Discard,
        Output::Inherit if NUMBER == STDERR => Sink::Own(own(&io::stderr())),
        Output::Inherit => Sink::Own(own(&io::stdout())),
        Output::Capture(buffer) => Sink::Capture(buffer.capacity()),
        Output::File(file) => {
            Sink::File(Descriptor(file.descriptor().map_err(remember)?), file.capacity())
        }
    };
    sink.serialize(serializer)
}

/// Reads it; a stream that comes along takes the place of this process's own.
pub(super) fn read_output<'de, const NUMBER: i32, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Output, D::Error> {
    Ok(match Sink::deserialize(deserializer)? {
        Sink::Discard | Sink::Own(None) => Output::Discard,
        Sink::Own(Some(stream)) => {
            become_own(NUMBER, stream)?;
            Output::Inherit
        }
        Sink::Capture(capacity) => Output::Capture(OutputBuffer::new(capacity)),
        Sink::File(file, capacity) => Output::File(OutputFile::received(file.0, capacity)),
    })
}

/// A standard stream of this process, if it is open.
fn own(stream: &impl AsFd) -> Option<Descriptor> {
    stream.as_fd().try_clone_to_owned().ok().map(Descriptor)
}

/// Makes a descriptor the standard stream of this number.
fn become_own<E: serde::de::Error>(number: i32, stream: Descriptor) -> Result<(), E> {
    replace_stream(number, stream.0).map_err(E::custom)
}

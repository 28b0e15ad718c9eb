//! Streams: a descriptor of preview 1 each, and perhaps an offset.
//!
//! A stream whose operation has failed is closed: each later operation says so, and a program
//! that goes on until the stream is closed comes to an end.

use super::{Pollable, STDIN};
use crate::engine::native::component::Wasi;
use crate::engine::native::component::bindings::wasi::io::streams;
use crate::engine::native::component::failure::Failure;
use crate::engine::native::component::filesystem::OpenFile;
use crate::engine::native::component::preview1::{CHUNK, Preview1};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime::{Error, Result};
use wrt_abi::services::wasi::Errno;

/// The most bytes that a write may have which waits for its end itself.
const BLOCKING_WRITE_MAX: u64 = 4096;

/// Where the bytes of an input stream come from.
#[derive(Debug)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file, from an offset on.
    File { file: Arc<OpenFile>, offset: u64 },
}

/// Where the bytes of an output stream go.
#[derive(Debug)]
pub enum Sink {
    /// Standard output or error.
    Standard(u32),
    /// A file, from an offset on.
    File { file: Arc<OpenFile>, offset: u64 },
    /// A file's end.
    Append(Arc<OpenFile>),
    /// Nowhere: the body of a message that is never sent.
    Nowhere,
}

/// A stream that a program reads.
#[derive(Debug)]
pub struct InputStream {
    source: Source,
    closed: bool,
}

/// A stream that a program writes.
#[derive(Debug)]
pub struct OutputStream {
    sink: Sink,
    closed: bool,
}

/// Why a stream gives or takes no more.
#[derive(Debug)]
pub enum StreamError {
    /// Its end, or the end of its reader.
    Closed,
    /// The host refused.
    Failed(Errno),
    /// The program ends.
    Trap(Error),
}

impl From<Failure> for StreamError {
    fn from(failure: Failure) -> Self {
        match failure {
            // The reader of a pipe has gone. Nothing failed: the stream has ended.
            Failure::Errno(Errno::Pipe) => Self::Closed,
            Failure::Errno(errno) => Self::Failed(errno),
            Failure::Trap(error) => Self::Trap(error),
        }
    }
}

impl From<ResourceTableError> for StreamError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

type Streamed<T> = core::result::Result<T, StreamError>;

impl InputStream {
    pub fn new(source: Source) -> Self {
        Self { source, closed: false }
    }

    /// Reads at most `len` bytes and at least one, unless the wait for it was cut short.
    fn read<'a>(&mut self, host: &'a mut Preview1, len: u64) -> Streamed<&'a [u8]> {
        if self.closed {
            return Err(StreamError::Closed);
        }
        if len == 0 {
            return Ok(&[]);
        }
        let read = self.source.read(host, len);
        self.closed = read.is_err();
        read
    }

    /// Reads as [`Self::read`] does, but takes nothing where it would have to wait.
    fn read_now<'a>(&mut self, host: &'a mut Preview1, len: u64) -> Streamed<&'a [u8]> {
        if matches!(self.source, Source::Stdin)
            && !self.closed
            && !host.wait(Some(0), Some(STDIN))?
        {
            return Ok(&[]);
        }
        self.read(host, len)
    }

    fn pollable(&self) -> Pollable {
        match self.source {
            Source::Stdin if !self.closed => Pollable::Stdin,
            _ => Pollable::Ready,
        }
    }
}

impl Source {
    fn read<'a>(&mut self, host: &'a mut Preview1, len: u64) -> Streamed<&'a [u8]> {
        let bytes = match self {
            Self::Stdin => match host.read(STDIN, len, None) {
                // A read that was cut short; the program tries again.
                Err(Failure::Errno(Errno::Intr)) => return Ok(&[]),
                read => read?,
            },
            Self::File { file, offset } => {
                let bytes = host.read(file.fd, len, Some(*offset))?;
                *offset = offset.saturating_add(bytes.len() as u64);
                bytes
            }
        };
        match bytes.is_empty() {
            true => Err(StreamError::Closed),
            false => Ok(bytes),
        }
    }
}

impl OutputStream {
    pub fn new(sink: Sink) -> Self {
        Self { sink, closed: false }
    }

    fn check_open(&self) -> Streamed<()> {
        match self.closed {
            true => Err(StreamError::Closed),
            false => Ok(()),
        }
    }

    fn write(&mut self, host: &mut Preview1, bytes: &[u8]) -> Streamed<()> {
        self.check_open()?;
        let written = self.sink.write(host, bytes);
        self.closed = written.is_err();
        Ok(written?)
    }
}

impl Sink {
    fn write(&mut self, host: &mut Preview1, bytes: &[u8]) -> core::result::Result<(), Failure> {
        match self {
            Self::Standard(_) if bytes.is_empty() => Ok(()),
            Self::Standard(fd) => host.write(*fd, bytes, None),
            Self::File { file, offset } => {
                file.set_append(host, false)?;
                host.write(file.fd, bytes, Some(*offset))?;
                *offset = offset.saturating_add(bytes.len() as u64);
                Ok(())
            }
            Self::Append(file) => {
                file.set_append(host, true)?;
                host.write(file.fd, bytes, None)
            }
            Self::Nowhere => Ok(()),
        }
    }
}

/// Traps a program that writes more at once than it was permitted.
fn check_permit(len: u64) -> Streamed<()> {
    match len <= CHUNK as u64 {
        true => Ok(()),
        false => Err(StreamError::Trap(Error::msg("a write of more than `check-write` permits"))),
    }
}

/// Traps a program that writes more at once than the interface says.
fn check_blocking(len: u64) -> Streamed<()> {
    match len <= BLOCKING_WRITE_MAX {
        true => Ok(()),
        false => Err(StreamError::Trap(Error::msg("a blocking write of more than 4096 bytes"))),
    }
}

impl streams::Host for Wasi {
    fn convert_stream_error(&mut self, error: StreamError) -> Result<streams::StreamError> {
        match error {
            StreamError::Closed => Ok(streams::StreamError::Closed),
            StreamError::Failed(errno) => {
                Ok(streams::StreamError::LastOperationFailed(self.table.push(errno)?))
            }
            StreamError::Trap(error) => Err(error),
        }
    }
}

impl streams::HostInputStream for Wasi {
    fn read(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<Vec<u8>> {
        let stream = self.table.get_mut(&stream)?;
        Ok(stream.read_now(&mut self.host, len)?.to_vec())
    }

    fn blocking_read(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<Vec<u8>> {
        let stream = self.table.get_mut(&stream)?;
        Ok(stream.read(&mut self.host, len)?.to_vec())
    }

    fn skip(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<u64> {
        let stream = self.table.get_mut(&stream)?;
        Ok(stream.read_now(&mut self.host, len)?.len() as u64)
    }

    fn blocking_skip(&mut self, stream: Resource<InputStream>, len: u64) -> Streamed<u64> {
        let stream = self.table.get_mut(&stream)?;
        Ok(stream.read(&mut self.host, len)?.len() as u64)
    }

    fn subscribe(&mut self, stream: Resource<InputStream>) -> Result<Resource<Pollable>> {
        let pollable = self.table.get(&stream)?.pollable();
        Ok(self.table.push_child(pollable, &stream)?)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for Wasi {
    fn check_write(&mut self, stream: Resource<OutputStream>) -> Streamed<u64> {
        self.table.get(&stream)?.check_open()?;
        Ok(CHUNK as u64)
    }

    fn write(&mut self, stream: Resource<OutputStream>, bytes: Vec<u8>) -> Streamed<()> {
        check_permit(bytes.len() as u64)?;
        self.table.get_mut(&stream)?.write(&mut self.host, &bytes)
    }

    fn blocking_write_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        bytes: Vec<u8>,
    ) -> Streamed<()> {
        check_blocking(bytes.len() as u64)?;
        self.write(stream, bytes)
    }

    fn flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.table.get(&stream)?.check_open()
    }

    fn blocking_flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.flush(stream)
    }

    fn subscribe(&mut self, stream: Resource<OutputStream>) -> Result<Resource<Pollable>> {
        Ok(self.table.push_child(Pollable::Ready, &stream)?)
    }

    fn write_zeroes(&mut self, stream: Resource<OutputStream>, len: u64) -> Streamed<()> {
        check_permit(len)?;
        // No more than a chunk, as was just checked.
        self.write(stream, vec![0; len as usize])
    }

    fn blocking_write_zeroes_and_flush(
        &mut self,
        stream: Resource<OutputStream>,
        len: u64,
    ) -> Streamed<()> {
        check_blocking(len)?;
        self.write_zeroes(stream, len)
    }

    fn splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Streamed<u64> {
        // What cannot be written is not read: it would be lost.
        self.table.get(&to)?.check_open()?;
        let from = self.table.get_mut(&from)?;
        let bytes = from.read_now(&mut self.host, len)?.to_vec();
        self.table.get_mut(&to)?.write(&mut self.host, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn blocking_splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Streamed<u64> {
        self.table.get(&to)?.check_open()?;
        let from = self.table.get_mut(&from)?;
        let bytes = from.read(&mut self.host, len)?.to_vec();
        self.table.get_mut(&to)?.write(&mut self.host, &bytes)?;
        Ok(bytes.len() as u64)
    }

    fn drop(&mut self, stream: Resource<OutputStream>) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

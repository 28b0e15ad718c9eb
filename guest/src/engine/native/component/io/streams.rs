//! Streams: a descriptor of preview 1 each, and perhaps an offset.

use super::{Pollable, STDIN};
use crate::engine::native::component::Wasi;
use crate::engine::native::component::bindings::wasi::io::streams;
use crate::engine::native::component::failure::{Errno, Failure};
use crate::engine::native::component::filesystem::OpenFile;
use crate::engine::native::component::preview1::{CHUNK, Preview1};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use wasmtime::component::{Resource, ResourceTableError};
use wasmtime::{Error, Result};

/// What bytes come from.
#[derive(Debug)]
pub enum InputStream {
    /// Standard input.
    Stdin,
    /// A file, from an offset on.
    File { file: Arc<OpenFile>, offset: u64 },
}

/// Where bytes go.
#[derive(Debug)]
pub enum OutputStream {
    /// Standard output or error.
    Standard(u32),
    /// A file, from an offset on.
    File { file: Arc<OpenFile>, offset: u64 },
    /// A file's end.
    Append(Arc<OpenFile>),
}

/// Why a stream gives or takes no more.
#[derive(Debug)]
pub enum StreamError {
    /// Its end.
    Closed,
    /// The host refused.
    Failed(Errno),
    /// The program ends.
    Trap(Error),
}

impl From<Failure> for StreamError {
    fn from(failure: Failure) -> Self {
        match failure {
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
    /// At most `len` bytes, at least one.
    fn read<'a>(&mut self, host: &'a mut Preview1, len: u64) -> Streamed<&'a [u8]> {
        if len == 0 {
            return Ok(&[]);
        }
        let bytes = match self {
            Self::Stdin => match host.read(STDIN, len, None) {
                // A read that was cut short; the program tries again.
                Err(Failure::Errno(Errno::INTR)) => return Ok(&[]),
                read => read?,
            },
            Self::File { file, offset } => {
                let bytes = host.read(file.fd, len, Some(*offset))?;
                *offset = offset.saturating_add(bytes.len() as u64);
                bytes
            }
        };
        if bytes.is_empty() {
            return Err(StreamError::Closed);
        }
        Ok(bytes)
    }

    /// As [`Self::read`], or none if that would have to wait.
    fn read_now<'a>(&mut self, host: &'a mut Preview1, len: u64) -> Streamed<&'a [u8]> {
        if let Self::Stdin = self
            && !host.wait(Some(0), Some(STDIN))?
        {
            return Ok(&[]);
        }
        self.read(host, len)
    }

    fn pollable(&self) -> Pollable {
        match self {
            Self::Stdin => Pollable::Stdin,
            Self::File { .. } => Pollable::Ready,
        }
    }
}

impl OutputStream {
    fn write(&mut self, host: &mut Preview1, bytes: &[u8]) -> Streamed<()> {
        match self {
            Self::Standard(fd) => host.write(*fd, bytes, None)?,
            Self::File { file, offset } => {
                file.set_append(host, false)?;
                host.write(file.fd, bytes, Some(*offset))?;
                *offset = offset.saturating_add(bytes.len() as u64);
            }
            Self::Append(file) => {
                file.set_append(host, true)?;
                host.write(file.fd, bytes, None)?;
            }
        }
        Ok(())
    }
}

/// A program may write no more at once than it was told.
fn check_permit(len: u64) -> Streamed<()> {
    match len <= CHUNK as u64 {
        true => Ok(()),
        false => Err(StreamError::Trap(Error::msg("a write of more than `check-write` permits"))),
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
        Ok(self.table.push(pollable)?)
    }

    fn drop(&mut self, stream: Resource<InputStream>) -> Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

impl streams::HostOutputStream for Wasi {
    fn check_write(&mut self, stream: Resource<OutputStream>) -> Streamed<u64> {
        self.table.get(&stream)?;
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
        self.write(stream, bytes)
    }

    fn flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.table.get(&stream)?;
        Ok(())
    }

    fn blocking_flush(&mut self, stream: Resource<OutputStream>) -> Streamed<()> {
        self.flush(stream)
    }

    fn subscribe(&mut self, stream: Resource<OutputStream>) -> Result<Resource<Pollable>> {
        self.table.get(&stream)?;
        Ok(self.table.push(Pollable::Ready)?)
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
        self.write_zeroes(stream, len)
    }

    fn splice(
        &mut self,
        to: Resource<OutputStream>,
        from: Resource<InputStream>,
        len: u64,
    ) -> Streamed<u64> {
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

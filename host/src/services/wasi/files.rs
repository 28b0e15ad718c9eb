//! Reading and writing open files.

use super::ALLOCATION_MAX;
use super::descriptors::File;
use super::errno::{OrErrno as _, Result, of_io};
use super::paths;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt as _;
use wasmtime_wasi::p1::types::{Ciovec, Errno, Fdflags, Filedelta, Filesize, Iovec, Whence};
use wiggle::{GuestMemory, GuestPtr, GuestType};

/// Bytes of one system call. Between two of them a call can be interrupted.
const CHUNK: usize = 8 << 20;

/// A buffer of an array of them.
pub(super) trait Buffer: GuestType {
    /// Its bytes.
    fn bytes(&self) -> GuestPtr<[u8]>;
}

impl Buffer for Iovec {
    fn bytes(&self) -> GuestPtr<[u8]> {
        self.buf.as_array(self.buf_len)
    }
}

impl Buffer for Ciovec {
    fn bytes(&self) -> GuestPtr<[u8]> {
        self.buf.as_array(self.buf_len)
    }
}

/// The first buffer that is not empty, as `wasmtime-wasi` takes it. Programs go on with the rest.
pub(super) fn first<B: Buffer>(
    memory: &GuestMemory<'_>,
    buffers: GuestPtr<[B]>,
) -> Result<GuestPtr<[u8]>>
where
    [B]: wiggle::Pointee<Pointer = (u32, u32)>,
{
    bounded(buffers.len(), B::guest_size())?;
    for buffer in buffers.iter() {
        let bytes = memory.read(buffer?)?.bytes();
        if bytes.len() > 0 {
            // More than may be copied, of memory that is not there: this is what the field says.
            if memory.as_slice(bytes).is_err() {
                bounded(bytes.len(), 1)?;
            }
            return Ok(bytes);
        }
    }
    Ok(GuestPtr::new((0, 0)))
}

/// Refuses more than a call may make the host allocate.
pub(super) fn bounded(count: u32, size: u32) -> Result<()> {
    let bytes = u64::from(count) * u64::from(size);
    if bytes <= ALLOCATION_MAX as u64 { Ok(()) } else { Err(Errno::Nomem.into()) }
}

impl File {
    /// Reads at an offset, into the program's memory. `go_on` is asked between system calls.
    pub(super) fn read(
        &self,
        bytes: &mut [u8],
        offset: Filesize,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<u32> {
        let mut done = 0;
        // Once for no bytes, too: the file may not be open for reading.
        loop {
            let chunk = &mut bytes[done..];
            let end = chunk.len().min(CHUNK);
            let at = offset.checked_add(done as u64).ok_or(Errno::Inval)?;
            match self.file.read_at(&mut chunk[..end], at) {
                Ok(read) => {
                    done += read;
                    if read < end || done == bytes.len() {
                        break;
                    }
                }
                // A signal, as one that is to end the call.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if done == 0 => return Err(of_io(&error).into()),
                Err(_) => break,
            }
            go_on()?;
        }
        Ok(u32::try_from(done)?)
    }

    /// Writes the program's memory: at an offset, or to the end of a file that is appended to.
    pub(super) fn write(
        &self,
        bytes: &[u8],
        offset: Filesize,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<u32> {
        let appends = self.flags.contains(Fdflags::APPEND);
        let mut done = 0;
        loop {
            let chunk = &bytes[done..][..(bytes.len() - done).min(CHUNK)];
            let at = offset.checked_add(done as u64).ok_or(Errno::Inval)?;
            let written = match appends {
                true => (&self.file).write(chunk),
                false => self.file.write_at(chunk, at),
            };
            match written {
                Ok(written) => {
                    done += written;
                    if written < chunk.len() || done == bytes.len() {
                        break;
                    }
                }
                // A signal, as one that is to end the call.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if done == 0 => return Err(of_io(&error).into()),
                Err(_) => break,
            }
            go_on()?;
        }
        Ok(u32::try_from(done)?)
    }

    /// Moves the position behind what was read.
    pub(super) fn has_read(&mut self, bytes: u32) -> Result<()> {
        self.position = self.position.checked_add(bytes.into()).ok_or(Errno::Overflow)?;
        Ok(())
    }

    /// Moves the position behind what was written.
    pub(super) fn has_written(&mut self, bytes: u32) -> Result<()> {
        match self.flags.contains(Fdflags::APPEND) {
            true => self.seek(0, Whence::End).map(|_| ()),
            false => self.has_read(bytes),
        }
    }

    /// Moves the position.
    pub(super) fn seek(&mut self, offset: Filedelta, whence: Whence) -> Result<Filesize> {
        let from = match whence {
            Whence::Set => 0,
            Whence::Cur => self.position,
            Whence::End => self.file.metadata().or_errno()?.len(),
        };
        self.position = from.checked_add_signed(offset).ok_or(Errno::Inval)?;
        Ok(self.position)
    }

    /// Sets those of its flags that can change.
    pub(super) fn set_flags(&mut self, flags: Fdflags) -> Result<()> {
        if flags.intersects(Fdflags::DSYNC | Fdflags::SYNC | Fdflags::RSYNC) {
            return Err(Errno::Inval.into());
        }
        if flags.contains(Fdflags::APPEND) != self.flags.contains(Fdflags::APPEND) {
            paths::set_append(&self.file, flags.contains(Fdflags::APPEND))?;
        }
        self.flags = flags;
        Ok(())
    }
}

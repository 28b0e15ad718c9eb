//! Open files: reading, writing, position, size. A stream is read and written here too, and has
//! nothing else.

use super::call::{Call, Fd};
use super::descriptors::{Descriptor, File};
use super::errno::{OrErrno as _, Result, go_on, of_system};
use super::memory::{List, Memory, Place};
use super::opening::set_append;
use super::stdio::Stream;
use super::vectors::Ranges;
use crate::machine::CancelState;
use rustix::io::{Errno as System, preadv, pwritev, writev};
use std::io::{IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use wrt_abi::services::wasi::{Advice, Errno, Fdflags, Iovec, Whence};
use wrt_platform::files::advise;

/// Bytes of one system call. Between two of them a call can be interrupted.
const CHUNK: usize = 8 << 20;

impl Call<'_> {
    pub(super) fn fd_read(&mut self, fd: Fd, to: List<Iovec>, result: Place<u32>) -> Result<()> {
        let ranges = Ranges::read(&self.memory, to)?;
        let (memory, cancel) = (&mut self.memory, self.cancel);
        if let Descriptor::Stream(Stream::Input) = self.wasi.descriptors.get(fd)? {
            let to = &mut ranges.slices_mut(memory);
            let read = self.wasi.streams.input.read(to, cancel)?;
            return memory.write(result, &u32::try_from(read)?);
        }
        let file = self.wasi.descriptors.file_mut(fd)?;
        let read = file.read(memory, &ranges, file.position, cancel)?;
        file.has_moved(read)?;
        memory.write(result, &read)
    }

    pub(super) fn fd_write(&mut self, fd: Fd, from: List<Iovec>, result: Place<u32>) -> Result<()> {
        let ranges = Ranges::read(&self.memory, from)?;
        let (memory, cancel) = (&mut self.memory, self.cancel);
        if let Descriptor::Stream(stream @ (Stream::Output | Stream::Error)) =
            self.wasi.descriptors.get(fd)?
        {
            let from = &ranges.slices(memory);
            let written = self.wasi.streams.outputs.write(*stream, from, cancel)?;
            return memory.write(result, &u32::try_from(written)?);
        }
        let file = self.wasi.descriptors.file_mut(fd)?;
        let written = file.write(memory, &ranges, file.position, cancel)?;
        match file.flags.contains(Fdflags::APPEND) {
            true => file.seek(0, Whence::End)?,
            false => file.has_moved(written)?,
        };
        memory.write(result, &written)
    }

    pub(super) fn fd_pread(
        &mut self,
        fd: Fd,
        to: List<Iovec>,
        offset: u64,
        result: Place<u32>,
    ) -> Result<()> {
        let ranges = Ranges::read(&self.memory, to)?;
        let file = match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file,
            Descriptor::Stream(Stream::Input) => return Err(Errno::Spipe.into()),
            Descriptor::Stream(_) | Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        };
        let read = file.read(&mut self.memory, &ranges, offset, self.cancel)?;
        self.memory.write(result, &read)
    }

    pub(super) fn fd_pwrite(
        &mut self,
        fd: Fd,
        from: List<Iovec>,
        offset: u64,
        result: Place<u32>,
    ) -> Result<()> {
        let ranges = Ranges::read(&self.memory, from)?;
        let file = match self.wasi.descriptors.get(fd)? {
            Descriptor::File(file) => file,
            Descriptor::Stream(Stream::Output | Stream::Error) => return Err(Errno::Spipe.into()),
            Descriptor::Stream(_) | Descriptor::Directory(_) => return Err(Errno::Badf.into()),
        };
        let written = file.write(&mut self.memory, &ranges, offset, self.cancel)?;
        self.memory.write(result, &written)
    }

    pub(super) fn fd_seek(
        &mut self,
        fd: Fd,
        offset: i64,
        whence: Whence,
        result: Place<u64>,
    ) -> Result<()> {
        let position = self.wasi.descriptors.seekable(fd)?.seek(offset, whence)?;
        self.memory.write(result, &position)
    }

    pub(super) fn fd_tell(&mut self, fd: Fd, result: Place<u64>) -> Result<()> {
        let position = self.wasi.descriptors.seekable(fd)?.position;
        self.memory.write(result, &position)
    }

    pub(super) fn fd_advise(
        &mut self,
        fd: Fd,
        offset: u64,
        len: u64,
        advice: Advice,
    ) -> Result<()> {
        let file = &self.wasi.descriptors.file(fd)?.file;
        advise(file, offset, NonZeroU64::new(len), advice_for_system(advice)).or_errno()
    }

    /// Not every system can.
    pub(super) fn fd_allocate(&mut self, fd: Fd) -> Result<()> {
        self.wasi.descriptors.file(fd)?;
        Err(Errno::Notsup.into())
    }

    pub(super) fn fd_datasync(&mut self, fd: Fd) -> Result<()> {
        self.wasi.descriptors.file(fd)?.file.sync_data().or_errno()
    }

    pub(super) fn fd_sync(&mut self, fd: Fd) -> Result<()> {
        self.wasi.descriptors.file(fd)?.file.sync_all().or_errno()
    }

    pub(super) fn fd_filestat_set_size(&mut self, fd: Fd, size: u64) -> Result<()> {
        let file = self.wasi.descriptors.file(fd)?;
        file.may_change()?;
        file.file.set_len(size).or_errno()
    }
}

impl File {
    /// Reads at an offset, into the program's memory.
    fn read(
        &self,
        memory: &mut Memory<'_>,
        to: &Ranges,
        offset: u64,
        cancel: &CancelState,
    ) -> Result<u32> {
        let to = to.disjoint();
        in_chunks(to.len(), offset, cancel, |done, chunk, at| {
            let to = to.part(done, chunk);
            let mut to = to.slices_mut(memory);
            if to.is_empty() {
                // No bytes are asked for as well: the file may not be open for reading.
                to.push(IoSliceMut::new(&mut []));
            }
            preadv(&self.file, &mut to, at)
        })
    }

    /// Writes the program's memory: at an offset, or to the end of a file that is appended to.
    fn write(
        &self,
        memory: &mut Memory<'_>,
        from: &Ranges,
        offset: u64,
        cancel: &CancelState,
    ) -> Result<u32> {
        let appends = self.flags.contains(Fdflags::APPEND);
        in_chunks(from.len(), offset, cancel, |done, chunk, at| {
            let from = from.part(done, chunk);
            let mut from = from.slices(memory);
            if from.is_empty() {
                from.push(IoSlice::new(&[]));
            }
            match appends {
                true => writev(&self.file, &from),
                false => pwritev(&self.file, &from, at),
            }
        })
    }

    /// Moves the position behind what was read or written.
    fn has_moved(&mut self, bytes: u32) -> Result<u64> {
        self.position = self.position.checked_add(bytes.into()).ok_or(Errno::Overflow)?;
        Ok(self.position)
    }

    /// Moves the position.
    fn seek(&mut self, offset: i64, whence: Whence) -> Result<u64> {
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
            set_append(&self.file, flags.contains(Fdflags::APPEND))?;
        }
        self.flags = flags;
        Ok(())
    }
}

/// Moves `total` bytes, a chunk at a time, until one is not moved whole: `call` is told how many
/// were moved, the length of the chunk, and its offset in the file. Returns how many were moved.
fn in_chunks(
    total: usize,
    offset: u64,
    cancel: &CancelState,
    mut call: impl FnMut(usize, usize, u64) -> rustix::io::Result<usize>,
) -> Result<u32> {
    let mut done = 0;
    loop {
        let chunk = (total - done).min(CHUNK);
        let at = offset.checked_add(done as u64).ok_or(Errno::Inval)?;
        match call(done, chunk, at) {
            Ok(moved) => {
                done += moved;
                if moved < chunk || done == total {
                    break;
                }
            }
            // A signal, as one that is to end the call.
            Err(System::INTR) => {}
            Err(error) if done == 0 => return Err(of_system(error).into()),
            Err(_) => break,
        }
        go_on(cancel)?;
    }
    Ok(u32::try_from(done)?)
}

fn advice_for_system(advice: Advice) -> wrt_platform::files::Advice {
    use wrt_platform::files::Advice as System;
    match advice {
        Advice::Normal => System::Normal,
        Advice::Sequential => System::Sequential,
        Advice::Random => System::Random,
        Advice::Willneed => System::WillNeed,
        Advice::Dontneed => System::DontNeed,
        Advice::Noreuse => System::NoReuse,
    }
}

//! The host's preview 1, as functions with Rust's types.
//!
//! A function of preview 1 works on a linear memory. Here that is a stretch of this kernel's own
//! heap, of which the host reaches no more than it is given: structures at its beginning, then
//! the bytes and paths of one call. More bytes than it holds take several calls.

mod memory;
mod paths;

pub use paths::{At, Times};

use super::failure::Failure;
use crate::services;
use alloc::vec::Vec;
use memory::Memory;
use wrt_abi::services::Arguments;
use wrt_abi::services::wasi::{
    Clockid, Errno, Event, Eventtype, Fdstat, FunctionId, Iovec, Prestat, Subclockflags,
    Subscription,
};

/// The most bytes that one call moves.
pub const CHUNK: usize = 64 << 10;

/// Where results go: structures of up to 64 bytes.
const RESULT: usize = 0;
/// Where the one buffer of a read or write is described.
const IOVEC: usize = 64;
/// What `poll_oneoff` shall wait for: two at most.
const SUBSCRIPTIONS: usize = 128;
/// What has happened.
const EVENTS: usize = 256;
/// Bytes and paths.
const DATA: usize = 512;

/// The host's preview 1, with a memory that is made when it is needed first.
pub struct Preview1 {
    memory: Option<Memory>,
}

impl Preview1 {
    pub const fn new() -> Self {
        Self { memory: None }
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_with(|| Memory::new(DATA + CHUNK))
    }

    fn call(&mut self, function: FunctionId, args: &[u64]) -> Result<&mut Memory, Failure> {
        let memory = self.memory();
        memory.call(function, args)?;
        Ok(memory)
    }

    /// Describes the one buffer of a read or write.
    fn put_iovec(&mut self, len: usize) {
        let [buf, len] = [DATA, len].map(|word| u32::try_from(word).unwrap_or(0));
        self.memory().write(IOVEC, &Iovec { buf, len });
    }

    /// Strings that the host has, with a zero behind each: arguments or variables.
    pub fn strings(&mut self, sizes: FunctionId, get: FunctionId) -> Result<Vec<Vec<u8>>, Failure> {
        let memory = self.call(sizes, &[RESULT as u64, RESULT as u64 + 4])?;
        let [count, len] = memory.read::<[u32; 2]>(RESULT)?.map(|word| word as usize);
        // They may be more than a call's memory holds: pointers first, then the strings.
        let mut memory = Memory::new(4 * count + len);
        memory.call(get, &[0, 4 * count as u64])?;
        let text = &memory.bytes()[4 * count..];
        Ok(text.split(|&byte| byte == 0).take(count).map(<[u8]>::to_vec).collect())
    }

    /// A clock's time in nanoseconds.
    pub fn now(&mut self, clock: Clockid) -> Result<u64, Failure> {
        let memory = self.call(FunctionId::ClockTimeGet, &[clock as u64, 0, RESULT as u64])?;
        memory.read(RESULT)
    }

    /// A clock's resolution in nanoseconds.
    pub fn resolution(&mut self, clock: Clockid) -> Result<u64, Failure> {
        let memory = self.call(FunctionId::ClockResGet, &[clock as u64, RESULT as u64])?;
        memory.read(RESULT)
    }

    /// Waits until the monotonic clock says `deadline` or `fd` can be read; says whether it can.
    pub fn wait(&mut self, deadline: Option<u64>, fd: Option<u32>) -> Result<bool, Failure> {
        let clock = deadline.map(|timeout| Subscription {
            kind: Eventtype::Clock as u8,
            id: Clockid::Monotonic as u32,
            timeout,
            flags: Subclockflags::SUBSCRIPTION_CLOCK_ABSTIME.bits(),
            ..Subscription::default()
        });
        let input = fd.map(|id| Subscription {
            kind: Eventtype::FdRead as u8,
            id,
            ..Subscription::default()
        });
        let mut count = 0;
        for subscription in [clock, input].into_iter().flatten() {
            self.memory().write(SUBSCRIPTIONS + count * size_of::<Subscription>(), &subscription);
            count += 1;
        }
        let args = [SUBSCRIPTIONS as u64, EVENTS as u64, count as u64, RESULT as u64];
        let memory = self.call(FunctionId::PollOneoff, &args)?;
        for event in 0..(memory.read::<u32>(RESULT)? as usize).min(count) {
            let event: Event = memory.read(EVENTS + event * size_of::<Event>())?;
            if event.kind == Eventtype::FdRead {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fills `bytes` with random ones.
    pub fn random(&mut self, bytes: &mut [u8]) -> Result<(), Failure> {
        for chunk in bytes.chunks_mut(CHUNK) {
            let args = [DATA as u64, chunk.len() as u64];
            let memory = self.call(FunctionId::RandomGet, &args)?;
            chunk.copy_from_slice(&memory.bytes()[DATA..][..chunk.len()]);
        }
        Ok(())
    }

    /// Reads at most `len` bytes, and no more than a [`CHUNK`]: at an offset, or on from where
    /// the last read ended. None at the end.
    pub fn read(&mut self, fd: u32, len: u64, offset: Option<u64>) -> Result<&[u8], Failure> {
        let len = usize::try_from(len).unwrap_or(CHUNK).min(CHUNK);
        self.put_iovec(len);
        let (fd, iovec, result) = (fd.into(), IOVEC as u64, RESULT as u64);
        let memory = match offset {
            Some(offset) => self.call(FunctionId::FdPread, &[fd, iovec, 1, offset, result])?,
            None => self.call(FunctionId::FdRead, &[fd, iovec, 1, result])?,
        };
        let read = (memory.read::<u32>(RESULT)? as usize).min(len);
        Ok(&memory.bytes()[DATA..][..read])
    }

    /// Writes all bytes: at an offset, or on from where the last write ended. Also where there
    /// are none the host says whether the descriptor may be written.
    pub fn write(&mut self, fd: u32, bytes: &[u8], offset: Option<u64>) -> Result<(), Failure> {
        let mut rest = bytes;
        let mut offset = offset;
        loop {
            let chunk = &rest[..rest.len().min(CHUNK)];
            self.memory().write(DATA, chunk);
            self.put_iovec(chunk.len());
            let (fd, iovec, result) = (fd.into(), IOVEC as u64, RESULT as u64);
            let memory = match offset {
                Some(offset) => self.call(FunctionId::FdPwrite, &[fd, iovec, 1, offset, result])?,
                None => self.call(FunctionId::FdWrite, &[fd, iovec, 1, result])?,
            };
            let written = (memory.read::<u32>(RESULT)? as usize).min(chunk.len());
            if written == 0 && !chunk.is_empty() {
                return Err(Errno::Io.into());
            }
            offset = match offset {
                Some(offset) => Some(offset.checked_add(written as u64).ok_or(Errno::Overflow)?),
                None => None,
            };
            rest = &rest[written..];
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// What there is to know of a descriptor.
    pub fn fdstat(&mut self, fd: u32) -> Result<Fdstat, Failure> {
        self.call(FunctionId::FdFdstatGet, &[fd.into(), RESULT as u64])?.read(RESULT)
    }

    /// A preopened directory's name; `None` when `fd` is no such directory.
    pub fn preopen(&mut self, fd: u32) -> Result<Option<Vec<u8>>, Failure> {
        let memory = match self.call(FunctionId::FdPrestatGet, &[fd.into(), RESULT as u64]) {
            Ok(memory) => memory,
            Err(Failure::Errno(Errno::Badf)) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let len = memory.read::<Prestat>(RESULT)?.name_len as usize;
        let mut memory = Memory::new(len);
        memory.call(FunctionId::FdPrestatDirName, &[fd.into(), 0, len as u64])?;
        Ok(Some(memory.bytes().to_vec()))
    }

    /// A call that takes a descriptor and numbers and returns nothing.
    pub fn plain<const N: usize>(
        &mut self,
        function: FunctionId,
        args: [u64; N],
    ) -> Result<(), Failure> {
        self.call(function, &args).map(|_| ())
    }
}

/// Closes a descriptor. Nobody is left to hear that it could not be.
pub fn close(fd: u32) {
    let mut arguments = Arguments::default();
    arguments[0] = fd.into();
    // No memory goes with it.
    let _ = services::call(FunctionId::FdClose.import(), &mut [], &arguments);
}

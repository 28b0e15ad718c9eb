//! Standard input.

use super::super::errno::{Result, go_on};
use super::persist;
use crate::machine::CancelState;
use crate::world;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io::IoSliceMut;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant};

/// Room that is worth another read of a busy pipe, whose writer may write small pieces.
const FULL: usize = 16 << 10;
/// The longest time that one system call waits. Systems take no times without end.
const WAIT_MAX: Duration = Duration::from_secs(3600);

/// Where the program's input comes from, and how much of what is there has been read.
#[derive(Debug)]
pub(in crate::services::wasi) struct Input {
    from: world::Input,
    read: usize,
}

impl Input {
    pub(super) fn new(from: world::Input) -> Self {
        Self { from, read: 0 }
    }

    /// Reads into these places, waiting for the first byte if need be; 0 is the end.
    pub(in crate::services::wasi) fn read(
        &mut self,
        to: &mut [IoSliceMut<'_>],
        cancel: &CancelState,
    ) -> Result<usize> {
        match &self.from {
            // A read into no place has nothing to wait for.
            world::Input::Inherited if to.is_empty() => Ok(0),
            world::Input::Inherited => {
                let stdin = std::io::stdin();
                let read = persist(
                    cancel,
                    || rustix::io::readv(&stdin, to),
                    || is_readable(stdin.as_fd(), None).map(|_| ()),
                )?;
                Ok(read + read_on(stdin.as_fd(), to, read, cancel))
            }
            there => {
                let taken = take(&there.bytes()[self.read..], to);
                self.read += taken;
                Ok(taken)
            }
        }
    }

    /// Waits until a read would return at once, but no longer than until `time`; says whether it
    /// would. It takes no byte, so that what a program does not read is there for others.
    pub(in crate::services::wasi) fn wait(
        &self,
        time: Option<Instant>,
        cancel: &CancelState,
    ) -> Result<bool> {
        let world::Input::Inherited = self.from else { return Ok(true) };
        let stdin = std::io::stdin();
        loop {
            go_on(cancel)?;
            let left = time.map(|time| time.saturating_duration_since(Instant::now()));
            let wait = left.unwrap_or(WAIT_MAX).min(WAIT_MAX);
            match is_readable(stdin.as_fd(), Timespec::try_from(wait).ok().as_ref()) {
                Ok(false) if time.is_none_or(|time| time > Instant::now()) => {}
                Err(Errno::INTR) => {}
                // An error is what a read returns at once.
                readable => return Ok(readable != Ok(false)),
            }
        }
    }
}

/// Reads what has come to a pipe since `before` bytes were read from it, as long as there is much
/// room. A pipe holds 64 KiB; a call of the program costs as much time as to read those.
fn read_on(
    pipe: BorrowedFd<'_>,
    mut to: &mut [IoSliceMut<'_>],
    before: usize,
    cancel: &CancelState,
) -> usize {
    let room = |to: &[IoSliceMut<'_>]| to.iter().map(|slice| slice.len()).sum::<usize>();
    if before == 0 || room(to) - before < FULL || !is_pipe(pipe) {
        return 0;
    }
    IoSliceMut::advance_slices(&mut to, before);
    let (now, mut more) = (Timespec { tv_sec: 0, tv_nsec: 0 }, 0);
    while room(to) >= FULL && cancel.interruption().is_none() {
        if is_readable(pipe, Some(&now)) != Ok(true) {
            break;
        }
        match rustix::io::readv(pipe, to) {
            // The end, or an error, comes again.
            Ok(0) | Err(_) => break,
            Ok(read) => {
                more += read;
                IoSliceMut::advance_slices(&mut to, read);
            }
        }
    }
    more
}

fn is_pipe(descriptor: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(descriptor)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether a read would return at once; waits for that as long as is said.
fn is_readable(descriptor: BorrowedFd<'_>, time: Option<&Timespec>) -> rustix::io::Result<bool> {
    poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], time).map(|count| count > 0)
}

fn take(from: &[u8], to: &mut [IoSliceMut<'_>]) -> usize {
    let mut rest = from;
    for slice in to {
        let (taken, others) = rest.split_at(slice.len().min(rest.len()));
        slice[..taken.len()].copy_from_slice(taken);
        rest = others;
    }
    from.len() - rest.len()
}

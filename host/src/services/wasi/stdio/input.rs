//! Standard input.

use super::{Failed, persist};
use crate::machine::CancelState;
use crate::world::Stdin;
use bytes::{Buf as _, Bytes};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use std::io::IoSliceMut;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use wrt_platform::memory::SharedBytes;

/// Room that is worth another read of a busy pipe, whose writer may write small pieces.
const FULL: usize = 16 << 10;

/// Where the program's input comes from.
#[derive(Debug)]
pub(super) enum Input {
    /// This process's own.
    Inherited,
    /// Bytes that are there; the rest of them.
    Bytes(Bytes),
}

/// Shared bytes as a slice.
struct Slice(Arc<SharedBytes>);

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl Input {
    pub(super) fn new(stdin: &Stdin) -> Self {
        match stdin {
            Stdin::Inherit => Self::Inherited,
            Stdin::Empty => Self::Bytes(Bytes::new()),
            Stdin::Bytes(bytes) => Self::Bytes(Bytes::copy_from_slice(bytes)),
            Stdin::Module(module) => Self::Bytes(Bytes::from_owner(module.clone())),
            Stdin::Shared(bytes) => Self::Bytes(Bytes::from_owner(Slice(Arc::clone(bytes)))),
        }
    }

    /// Reads into these places, waiting for the first byte if need be; 0 is the end.
    pub(super) fn read(
        &mut self,
        to: &mut [IoSliceMut<'_>],
        cancel: &CancelState,
    ) -> Result<usize, Failed> {
        match self {
            Self::Bytes(rest) => Ok(take(rest, to)),
            Self::Inherited => {
                let stdin = std::io::stdin();
                let read = persist(
                    cancel,
                    || rustix::io::readv(&stdin, to),
                    || is_readable(stdin.as_fd(), None).map(|_| ()),
                )?;
                Ok(read + read_on(stdin.as_fd(), to, read, cancel))
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

fn take(rest: &mut Bytes, to: &mut [IoSliceMut<'_>]) -> usize {
    let before = rest.len();
    for slice in to {
        let len = slice.len().min(rest.len());
        rest.copy_to_slice(&mut slice[..len]);
    }
    before - rest.len()
}

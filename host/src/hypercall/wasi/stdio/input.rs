//! Standard input.

use super::{Failed, persist};
use crate::hypercall::wasi::Stdin;
use crate::machine::CancelState;
use bytes::{Buf as _, Bytes};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::IoSliceMut;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use wrt_platform::memory::SharedBytes;

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
                let wait = || poll(&mut [PollFd::new(&stdin.as_fd(), PollFlags::IN)], None);
                persist(cancel, || rustix::io::readv(&stdin, to), || wait().map(|_| ()))
            }
        }
    }
}

fn take(rest: &mut Bytes, to: &mut [IoSliceMut<'_>]) -> usize {
    let before = rest.len();
    for slice in to {
        let len = slice.len().min(rest.len());
        rest.copy_to_slice(&mut slice[..len]);
    }
    before - rest.len()
}

//! What the host takes for a linear memory.

use crate::engine::native::component::failure::{Errno, Failure};
use crate::engine::native::wasi::Exit;
use crate::hostcall::{self, WasiOutcome};
use alloc::vec;
use alloc::vec::Vec;
use wasmtime::Error;
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::wasi::{FIRST_ARGUMENT, FunctionId};

/// The host looks at addresses, not only at offsets, when it checks alignments.
const ALIGNMENT: usize = 16;

/// A memory for calls.
pub(super) struct Memory {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Memory {
    pub(super) fn new(len: usize) -> Self {
        let bytes = vec![0; len + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { bytes, start, len }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.len]
    }

    /// Makes a call. Pointers in `args` are offsets.
    pub(super) fn call(&mut self, function: FunctionId, args: &[u64]) -> Result<(), Failure> {
        let mut words = [0; REQUEST_ARGS];
        words[0] = function as u64;
        words[1] = self.bytes().as_mut_ptr().expose_provenance() as u64;
        words[2] = self.len as u64;
        words[FIRST_ARGUMENT..][..args.len()].copy_from_slice(args);
        // SAFETY: the bytes are this memory's, and borrowed by this call alone.
        match unsafe { hostcall::wasi(words) } {
            WasiOutcome::Returned(0) => Ok(()),
            WasiOutcome::Returned(errno) => {
                Err(Errno(u16::try_from(errno).unwrap_or(Errno::IO.0)).into())
            }
            WasiOutcome::Exit(code) => Err(Failure::Trap(Exit(code).into())),
            WasiOutcome::Trap(message) => {
                Err(Failure::Trap(Error::msg(hostcall::message(message))))
            }
        }
    }

    pub(super) fn read_u16(&mut self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    pub(super) fn read_u32(&mut self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    pub(super) fn read_u64(&mut self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    fn array<const N: usize>(&mut self, at: usize) -> [u8; N] {
        core::array::from_fn(|n| self.bytes()[at + n])
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.bytes()[at..][..bytes.len()].copy_from_slice(bytes);
    }
}

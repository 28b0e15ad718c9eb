//! What the host takes for a linear memory.

use crate::engine::native::component::failure::Failure;
use crate::engine::native::wasi::Exit;
use crate::hostcall::{self, WasiOutcome};
use alloc::vec;
use alloc::vec::Vec;
use wasmtime::Error;
use wrt_abi::mailbox::REQUEST_ARGS;
use wrt_abi::wasi::{Errno, FIRST_ARGUMENT, FunctionId};
use zerocopy::{Immutable, IntoBytes, KnownLayout, TryFromBytes};

/// A memory for calls.
pub(super) struct Memory(Vec<u8>);

impl Memory {
    pub(super) fn new(len: usize) -> Self {
        Self(vec![0; len])
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Makes a call. Pointers in `args` are offsets.
    pub(super) fn call(&mut self, function: FunctionId, args: &[u64]) -> Result<(), Failure> {
        let mut words = [0; REQUEST_ARGS];
        words[0] = function as u64;
        words[1] = self.bytes().as_mut_ptr().expose_provenance() as u64;
        words[2] = self.0.len() as u64;
        words[FIRST_ARGUMENT..][..args.len()].copy_from_slice(args);
        // SAFETY: the bytes are this memory's, and borrowed by this call alone.
        match unsafe { hostcall::wasi(words) } {
            WasiOutcome::Returned(0) => Ok(()),
            WasiOutcome::Returned(errno) => {
                Err(Errno::try_from(errno.cast_unsigned()).unwrap_or(Errno::Io).into())
            }
            WasiOutcome::Exit(code) => Err(Failure::Trap(Exit(code).into())),
            WasiOutcome::Trap(message) => {
                Err(Failure::Trap(Error::msg(hostcall::message(message))))
            }
        }
    }

    /// Reads a number or a structure.
    pub(super) fn read<T: TryFromBytes>(&mut self, at: usize) -> Result<T, Failure> {
        let read = T::try_read_from_bytes(&self.bytes()[at..][..size_of::<T>()]);
        read.map_err(|_| Errno::Io.into())
    }

    /// Writes bytes or a structure.
    pub(super) fn write<T>(&mut self, at: usize, value: &T)
    where
        T: IntoBytes + Immutable + KnownLayout + ?Sized,
    {
        let bytes = value.as_bytes();
        self.bytes()[at..][..bytes.len()].copy_from_slice(bytes);
    }
}

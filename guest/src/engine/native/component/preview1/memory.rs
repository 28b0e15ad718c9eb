//! What the host takes for a linear memory.

use crate::engine::native::component::failure::Failure;
use crate::services;
use alloc::vec;
use alloc::vec::Vec;
use wrt_abi::services::Arguments;
use wrt_abi::services::wasi::{Errno, FunctionId};
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
        let mut arguments = Arguments::default();
        arguments[..args.len()].copy_from_slice(args);
        match services::call(function.import(), &mut self.0, &arguments) {
            Ok(0) => Ok(()),
            Ok(errno) => {
                let errno = u32::try_from(errno).ok().and_then(|errno| errno.try_into().ok());
                Err(errno.unwrap_or(Errno::Io).into())
            }
            Err(refusal) => Err(Failure::Trap(refusal.into())),
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

//! `args_get`, `args_sizes_get`, `environ_get`, `environ_sizes_get`.

use super::call::Call;
use super::errno::Result;
use super::memory::{Memory, Place};

/// Strings that a program is given.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// All of them, each with a zero behind it.
    bytes: Vec<u8>,
    /// Where each begins.
    starts: Vec<usize>,
}

impl Strings {
    /// Adds a string, which comes in parts.
    pub(super) fn push(&mut self, parts: &[&str]) {
        self.starts.push(self.bytes.len());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part.as_bytes()));
        self.bytes.push(0);
    }

    fn write(&self, memory: &mut Memory<'_>, pointers: Place<u32>, buffer: u32) -> Result<()> {
        for (start, index) in self.starts.iter().zip(0..) {
            let pointer = u32::try_from(*start)?.checked_add(buffer);
            // One that 32 bits do not reach is of a string that has no room.
            memory.write(pointers.nth(index), &pointer.unwrap_or(u32::MAX))?;
        }
        memory.copy(buffer.into(), &self.bytes)
    }

    fn write_sizes(
        &self,
        memory: &mut Memory<'_>,
        count: Place<u32>,
        bytes: Place<u32>,
    ) -> Result<()> {
        let sizes = (self.starts.len().try_into()?, self.bytes.len().try_into()?);
        memory.write(count, &sizes.0)?;
        memory.write(bytes, &sizes.1)
    }
}

impl Call<'_> {
    pub(super) fn args_get(&mut self, pointers: Place<u32>, buffer: u32) -> Result<()> {
        self.wasi.arguments.write(&mut self.memory, pointers, buffer)
    }

    pub(super) fn args_sizes_get(&mut self, count: Place<u32>, bytes: Place<u32>) -> Result<()> {
        self.wasi.arguments.write_sizes(&mut self.memory, count, bytes)
    }

    pub(super) fn environ_get(&mut self, pointers: Place<u32>, buffer: u32) -> Result<()> {
        self.wasi.environment.write(&mut self.memory, pointers, buffer)
    }

    pub(super) fn environ_sizes_get(&mut self, count: Place<u32>, bytes: Place<u32>) -> Result<()> {
        self.wasi.environment.write_sizes(&mut self.memory, count, bytes)
    }
}

//! `Wasi`: preview 1 and preview 0.
//!
//! A call is its function's number and words of arguments. [`call`] decodes them and calls the
//! function of that name, which is a method of [`Call`] in the file of its group. A function works
//! on the world of its VM, and on the linear memory of the stopped guest by way of
//! [`memory::Memory`]. Paths are resolved by `cap-primitives`, as they are in wasmtime, so that the
//! file-system sandbox comes from code that the field already trusts. No function waits without
//! looking whether its call is interrupted.
//!
//! What a program sees is what it sees in wasmtime: tests make the same calls there and compare.

mod attributes;
mod call;
mod clocks;
mod descriptors;
mod errno;
mod files;
mod listing;
mod memory;
mod opening;
mod paths;
mod poll;
mod process;
mod random;
mod sockets;
mod stdio;
mod strings;
#[cfg(test)]
mod tests;
mod times;
mod vectors;
mod words;

use super::Service;
use crate::error::Error;
use crate::machine::{CancelState, Ended};
use crate::text;
use crate::world::{Access, Preopen, World};
use call::Call;
use clocks::Clocks;
use descriptors::{Descriptors, Directory};
use errno::Failed;
use memory::Memory;
use strings::Strings;
use wrt_abi::services::wasi::{Errno, FunctionId, Version};
use wrt_abi::services::{Arguments, Import};

/// Bytes that one call may make the host allocate on the guest's behalf.
const ALLOCATION_MAX: u64 = 128 << 20;

/// The WASI world of one VM.
pub(crate) struct Wasi {
    arguments: Strings,
    environment: Strings,
    clocks: Clocks,
    descriptors: Descriptors,
    streams: stdio::Streams,
}

impl Wasi {
    /// What calls of a program in this world work on.
    pub(crate) fn new(world: World) -> Self {
        let mut arguments = Strings::default();
        world.args.iter().for_each(|argument| arguments.push(&[argument.as_str()]));
        let mut environment = Strings::default();
        world.env.iter().for_each(|(name, value)| environment.push(&[name.as_str(), "=", value]));
        let directories = world.preopens.into_iter().map(|Preopen { directory, guest, access }| {
            Directory::preopened(directory.0.into(), guest, access == Access::ReadWrite)
        });
        Self {
            arguments,
            environment,
            clocks: Clocks::new(),
            descriptors: Descriptors::new(directories),
            streams: stdio::Streams::new(
                world.stdin,
                [world.stdout, world.stderr],
                world.max_output,
            ),
        }
    }
}

impl Service for Wasi {
    fn call(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        cancel: &CancelState,
    ) -> Result<Ended, Error> {
        let Some(function) = FunctionId::of(import) else { return Ok(Ended::Unknown) };
        let mut call = Call { wasi: self, memory: Memory::new(memory), cancel };
        match call.serve(function, Version::of(import), arguments) {
            Ok(()) => Ok(Ended::Returned(Errno::Success as u64)),
            Err(Failed::Errno(errno)) => Ok(Ended::Returned(errno as u64)),
            Err(Failed::Exit(code)) => Ok(Ended::Exit(code)),
            Err(Failed::Fault(fault)) => {
                let reason = format!("{}: {fault}", function.name());
                Ok(Ended::Trap(text::printable(reason.as_bytes())))
            }
            Err(Failed::Ended(error)) => Err(error),
        }
    }
}

/// An argument of 32 bits: the upper half is the guest's to fill.
#[expect(clippy::cast_possible_truncation, reason = "it travels in the low half")]
fn low(word: u64) -> u32 {
    word as u32
}

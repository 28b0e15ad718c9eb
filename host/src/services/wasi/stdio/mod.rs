//! Standard streams: reads and writes go from the guest's memory to the descriptor and back.
//!
//! `wasmtime-wasi` moves them in pieces of 4 KiB, by way of buffers and, for input, of a thread
//! that reads ahead; and a write that blocks there has no end. Here a read or write is one system
//! call on the guest's own bytes, which the end of the VM's call
//! [interrupts](wrt_platform::interrupt). Everything else about the descriptors, `fd_fdstat_get`
//! and `poll_oneoff` among it, stays `wasmtime-wasi`'s, which is told of them by [`shown`].

mod arrival;
mod input;
mod output;
mod shown;
mod slices;

pub(super) use shown::{shown_input, shown_output};

use super::errno::of_system;
use super::{Arguments, SUCCESS, low};
use crate::error::{Error, Interruption};
use crate::machine::CancelState;
use crate::world::WasiConfig;
use input::Input;
use output::Outputs;
use rustix::io::Errno;
use slices::Ranges;
use wasmtime_wasi::p1::types;
use wiggle::{GuestMemory, GuestPtr};
use wrt_abi::wasi::FunctionId;

/// A standard stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Stream {
    Input = 0,
    Output = 1,
    Error = 2,
}

impl Stream {
    /// The number that `wasmtime-wasi` knows it by, whatever the program calls it.
    pub(super) fn number(self) -> types::Fd {
        types::Fd::from(self as u32)
    }
}

/// The standard streams of a program.
#[derive(Debug)]
pub(super) struct Streams {
    input: Input,
    outputs: Outputs,
}

/// How a call on a stream fails.
#[derive(Debug)]
pub(super) enum Failed {
    /// The program is told.
    Errno(types::Errno),
    /// The program ends: its pointers lead nowhere.
    Trap(wiggle::error::Error),
    /// The VM's call ends.
    Ended(Error),
}

impl From<wiggle::GuestError> for Failed {
    fn from(error: wiggle::GuestError) -> Self {
        Self::Trap(error.into())
    }
}

impl Streams {
    /// The streams of a world.
    pub(super) fn new(world: &WasiConfig) -> Self {
        Self { input: Input::new(&world.stdin), outputs: Outputs::new(world) }
    }

    /// Serves a call, if it reads or writes the stream that its descriptor is. An error of the
    /// outer kind is a trap.
    ///
    /// # Errors
    ///
    /// When the VM's call ends: it was interrupted, or the program wrote more than it may.
    pub(super) fn serve(
        &mut self,
        function: FunctionId,
        stream: Option<Stream>,
        memory: &mut [u8],
        arguments: &Arguments,
        cancel: &CancelState,
    ) -> Result<Option<wiggle::error::Result<i32>>, Error> {
        let moved = match (function, stream) {
            (FunctionId::FdRead, Some(Stream::Input)) => self.read(memory, arguments, cancel),
            (FunctionId::FdWrite, Some(stream @ (Stream::Output | Stream::Error))) => {
                self.write(stream, memory, arguments, cancel)
            }
            _ => return Ok(None),
        };
        match moved {
            Ok(()) => Ok(Some(Ok(SUCCESS))),
            Err(Failed::Errno(errno)) => Ok(Some(Ok(errno as i32))),
            Err(Failed::Trap(trap)) => Ok(Some(Err(trap))),
            Err(Failed::Ended(error)) => Err(error),
        }
    }

    fn read(
        &mut self,
        memory: &mut [u8],
        arguments: &Arguments,
        cancel: &CancelState,
    ) -> Result<(), Failed> {
        let ranges = Ranges::read(memory, arguments)?;
        let read = self.input.read(&mut ranges.slices_mut(memory), cancel)?;
        tell(memory, arguments, read)
    }

    fn write(
        &mut self,
        stream: Stream,
        memory: &mut [u8],
        arguments: &Arguments,
        cancel: &CancelState,
    ) -> Result<(), Failed> {
        let ranges = Ranges::read(memory, arguments)?;
        let written = self.outputs.write(stream, &ranges.slices(memory), cancel)?;
        tell(memory, arguments, written)
    }
}

/// Tells the program how many bytes were moved.
fn tell(memory: &mut [u8], arguments: &Arguments, moved: usize) -> Result<(), Failed> {
    // No more than memory has, of which there are 4 GiB at most.
    let moved = u32::try_from(moved).unwrap_or(u32::MAX);
    let place = GuestPtr::<types::Size>::new(low(arguments[3]));
    Ok(GuestMemory::Unshared(memory).write(place, moved)?)
}

/// Repeats a system call until it has moved bytes or failed, or the VM's call is interrupted.
/// `wait` waits until it is worth another try, where the descriptor does not block.
fn persist(
    cancel: &CancelState,
    mut call: impl FnMut() -> rustix::io::Result<usize>,
    mut wait: impl FnMut() -> rustix::io::Result<()>,
) -> Result<usize, Failed> {
    loop {
        if let Some(why) = cancel.interruption() {
            return Err(ended(why));
        }
        match call() {
            Err(Errno::AGAIN) => match wait() {
                Ok(()) | Err(Errno::INTR) => {}
                Err(error) => return Err(Failed::Errno(of_system(error))),
            },
            Err(Errno::INTR) => {}
            moved => return moved.map_err(|error| Failed::Errno(of_system(error))),
        }
    }
}

fn ended(why: Interruption) -> Failed {
    Failed::Ended(Error::Interrupted(why))
}

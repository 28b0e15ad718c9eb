//! Standard streams: reads and writes go from the guest's memory to the descriptor and back.
//!
//! A read or write is one system call on the guest's own bytes, which the end of the VM's call
//! [interrupts](wrt_platform::interrupt). Wasmtime moves them in pieces of 4 KiB, by way of buffers
//! and, for input, of a thread that reads ahead; and a write that blocks there has no end.

mod input;
mod output;

use super::errno::{OrErrno as _, Result, go_on, of_system};
use crate::machine::CancelState;
use crate::world::{self, Output};
use input::Input;
use output::Outputs;
use rustix::io::Errno;
use std::io::{IsTerminal, stderr, stdin, stdout};
use wrt_abi::services::wasi::Filetype;

/// A standard stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Input = 0,
    Output = 1,
    Error = 2,
}

/// The standard streams of a program.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) input: Input,
    pub(super) outputs: Outputs,
    /// Whether each is a terminal.
    terminals: [bool; 3],
}

impl Streams {
    /// The streams of a world, of which the outputs may have so many bytes.
    pub(super) fn new(input: world::Input, outputs: [Output; 2], max_output: Option<u64>) -> Self {
        let terminals = [
            matches!(input, world::Input::Inherited) && stdin().is_terminal(),
            is_terminal(&outputs[0], &stdout()),
            is_terminal(&outputs[1], &stderr()),
        ];
        Self { input: Input::new(input), outputs: Outputs::new(outputs, max_output), terminals }
    }

    /// What a program is told a stream to be: a terminal, or nothing that it has a name for.
    pub(super) fn filetype(&self, stream: Stream) -> Filetype {
        match self.terminals[stream as usize] {
            true => Filetype::CharacterDevice,
            false => Filetype::Unknown,
        }
    }
}

fn is_terminal(output: &Output, inherited: &impl IsTerminal) -> bool {
    matches!(output, Output::Inherit) && inherited.is_terminal()
}

/// Repeats a system call until it has moved bytes or failed, or the VM's call is interrupted.
/// `wait` waits until it is worth another try, where the descriptor does not block.
fn persist(
    cancel: &CancelState,
    mut call: impl FnMut() -> rustix::io::Result<usize>,
    mut wait: impl FnMut() -> rustix::io::Result<()>,
) -> Result<usize> {
    loop {
        go_on(cancel)?;
        match call() {
            Err(Errno::AGAIN) => match wait() {
                Ok(()) | Err(Errno::INTR) => {}
                Err(error) => return Err(of_system(error).into()),
            },
            Err(Errno::INTR) => {}
            moved => return moved.or_errno(),
        }
    }
}

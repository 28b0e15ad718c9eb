//! Micro-VMs in processes of their own.
//!
//! Apple's framework gives a process one VM. So who wants several has *workers*: processes that
//! run one machine each, with its services, and take orders on a socket. They work on any
//! backend, and have a merit of their own: what becomes of a worker is an error of its one VM.
//!
//! ```text
//! parent                                  worker (`wrt-vm worker`)
//! MicroVm ─ remote.rs ══ channel.rs ══ serve.rs ─ Local ─ Machine, services
//!              └──── cancel ──────────────┘
//! ```
//!
//! A worker enters its [jail](crate::Jail) as it makes its machine. A jail cannot be widened: a VM
//! that is [reset](crate::MicroVm::reset_with) to a world with directories gets a new worker, and so
//! does one whose worker is gone.
//!
//! What passes are orders, as any guest gets them, and what `message` has; directories and modules go as file descriptors, standard
//! streams are inherited. A worker runs a hostile guest, and may have become its own: what it
//! says is bounded, and believed of its own VM only. One that does not answer is not waited for
//! longer than its call may take, and some grace; then it is killed. It ends when its parent does.

pub(crate) mod channel;
pub(crate) mod message;
mod process;
mod remote;
mod serve;

pub(crate) use process::rest;
pub(crate) use remote::Remote;
pub use serve::serve;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use wrt_platform::children::{is_this_program, this_program};
use wrt_platform::text::Line;

/// What workers are like.
#[derive(Clone, Debug)]
pub struct Workers {
    program: Program,
    jailed: bool,
    verbose: u8,
}

/// The program of a worker.
#[derive(Clone, Debug)]
enum Program {
    /// The one that this process executes, whatever has its name by now.
    This,
    At(PathBuf),
}

impl Workers {
    /// Jailed processes of a program: `wrt-vm`, or another that calls [`serve`] when its first
    /// argument is `worker`. If it is the one that this process executes, it may be replaced or
    /// removed later: workers are made of the program as it was.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let program = match is_this_program(&program) {
            true => Program::This,
            false => Program::At(program),
        };
        Self { program, jailed: true, verbose: 0 }
    }

    /// Jailed processes of the program that this process executes, which calls [`serve`] when its
    /// first argument is `worker`. It may be replaced or removed while this process runs: workers
    /// are made of the program as it was (on macOS of what has its name).
    pub fn of_this_program() -> Self {
        Self { program: Program::This, jailed: true, verbose: 0 }
    }

    /// Whether they are jailed.
    pub fn jailed(mut self, jailed: bool) -> Self {
        self.jailed = jailed;
        self
    }

    /// How often they are told `-v`, behind their first argument.
    pub fn verbose(mut self, verbose: u8) -> Self {
        self.verbose = verbose;
        self
    }

    /// What starts one.
    fn command(&self) -> io::Result<Command> {
        let mut command = match &self.program {
            Program::This => this_program()?,
            Program::At(path) => Command::new(path),
        };
        command.arg("worker").args(std::iter::repeat_n("-v", self.verbose.into()));
        Ok(command)
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            Program::This => f.write_str("of this program"),
            Program::At(path) => Line(path.display()).fmt(f),
        }
    }
}

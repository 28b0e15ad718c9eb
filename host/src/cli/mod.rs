//! The command line: one file a command.

mod admission;
mod cache;
mod compile;
mod compilers;
mod doctor;
mod invoke;
mod jobs;
mod log;
mod module;
mod native;
mod quantity;
mod run;
mod selftest;
mod stats;
mod termination;
mod version;

use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::process::ExitCode;
use wrt_platform::descriptors::Inherited;
use wrt_platform::stdio::StandardError;
use wrt_vm::Backend;
use wrt_vm::hypervisor::{Hypervisor, HypervisorError, Opened};
use wrt_vm::worker::Workers;

/// Runs WebAssembly programs, each in a hardware VM of its own.
///
/// There is no operating system in the VM, only a tiny kernel with a WebAssembly engine. What
/// a program may reach is what you give it: directories, environment variables, streams.
#[derive(Parser)]
#[command(name = "wrt-vm", version = version::SHORT, long_version = version::LONG.as_str())]
#[command(propagate_version = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Compile(compile::Compile),
    Cache(cache::CacheCommand),
    Doctor(doctor::Doctor),
    Selftest(selftest::Selftest),
    /// Be a VM of another process's
    #[command(hide = true)]
    Worker {
        #[arg(short, action = clap::ArgAction::Count)]
        verbose: u8,
    },
}

/// Exit codes that do not come from the program.
mod code {
    /// Anything that has no code of its own.
    pub(super) const FAILED: u8 = 1;
    /// Wrong usage. As clap's own.
    pub(super) const USAGE: u8 = 2;
    /// `--timeout` was reached. As `timeout(1)`.
    pub(super) const TIMED_OUT: u8 = 124;
    /// The program trapped. As for SIGABRT.
    pub(super) const TRAPPED: u8 = 134;
    /// `--max-output` was reached. As for SIGXFSZ, a file that gets too large.
    pub(super) const OUTPUT_LIMIT: u8 = 153;
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    if let Err(error) = wrt_platform::signal::prepare() {
        complain(format_args!("note: cannot prepare for signals: {error}"));
    }
    let command = Arguments::parse().command;
    let inherited = match command {
        // A worker's sockets are inherited; the others run nobody's code in this process.
        Command::Worker { .. } | Command::Cache(_) | Command::Doctor(_) | Command::Selftest(_) => {
            None
        }
        // SAFETY: this process has done nothing yet but to look at its arguments.
        Command::Run(_) | Command::Compile(_) => match unsafe { Inherited::take() } {
            Ok(inherited) => Some(inherited),
            Err(error) => {
                complain(format_args!("note: cannot tell which files were inherited: {error}"));
                None
            }
        },
    };
    match command {
        Command::Run(run) => run.execute(inherited),
        Command::Compile(compile) => compile.execute(),
        Command::Cache(cache) => cache.execute(),
        Command::Doctor(doctor) => doctor.execute(),
        Command::Selftest(selftest) => selftest.execute(),
        Command::Worker { verbose } => {
            // A parent that is told to end still asks what its programs used.
            if let Err(error) = wrt_platform::signal::leave_terminal_to_parent() {
                complain(format_args!("note: Ctrl-C ends this worker, too: {error}"));
            }
            if let Err(error) = log::install(log::Destination::Text, verbose, None) {
                complain(format_args!("{error:#}"));
            }
            wrt_vm::worker::serve()
        }
    }
}

/// Opens a hypervisor, and says so if it is a weaker one than could be hoped for.
fn open(backend: Backend) -> Result<Box<dyn Hypervisor>, HypervisorError> {
    let Opened { hypervisor, instead_of } = backend.choose()?;
    if let Some(why) = instead_of {
        complain(format_args!(
            "note: no hypervisor ({}): programs run in a child process without system calls, \
             a weaker boundary than a VM's (`wrt-vm doctor` tells more)",
            why.reason()
        ));
    }
    Ok(hypervisor)
}

/// Workers that are this program.
fn workers(verbose: u8) -> Workers {
    Workers::of_this_program().verbose(verbose)
}

/// Writes a line to standard error, best effort.
fn complain(what: impl std::fmt::Display) {
    print(&line(what));
}

/// Writes text to standard error, best effort: a program's end does not wait for a reader longer
/// than [`be_impatient`](wrt_platform::stdio::be_impatient) says.
fn print(text: &str) {
    let _ = StandardError.write_all(text.as_bytes());
}

/// A line of what this program says, in the format of its log.
fn line(what: impl std::fmt::Display) -> String {
    log::line(&what.to_string())
}

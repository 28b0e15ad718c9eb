//! The `wrt-vm` command, over the library of the same name: one file a subcommand.

mod batch;
mod cache;
mod compile;
mod doctor;
mod invoke;
mod jobs;
mod log;
mod manual;
mod module;
mod quantity;
mod result;
mod run;
mod say;
mod selftest;
mod spellings;
mod stats;
mod termination;
mod version;

use clap::{Parser, Subcommand};
use say::{complain, note};
use std::process::ExitCode;
use wrt_platform::descriptors::Inherited;
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
    Run(Box<run::Run>),
    Compile(compile::Compile),
    Cache(cache::CacheCommand),
    Doctor(doctor::Doctor),
    Selftest(selftest::Selftest),
    Completions(manual::Completions),
    Man(manual::Man),
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

    /// What users are told of them; all others are the program's.
    pub(super) const HELP: &str = "Exit codes:
    0  the program came to its end; any code that it exits with is passed on
    1  it could not be run: no such file, not a valid module, no hypervisor, the VM's end
    2  wrong usage
  124  --timeout was reached
  134  the program trapped
  153  --max-output was reached
  129, 130, 143  SIGHUP, Ctrl-C, SIGTERM
  With --jobs: 0 if all programs succeeded, else the code of the first one that did not, in the
  order of the command line. --result json tells wrt-vm's codes from the program's.";
}

/// Runs the command that the arguments name.
fn main() -> ExitCode {
    if let Err(error) = wrt_platform::signal::prepare() {
        note(format_args!("cannot prepare for signals: {error}"));
    }
    let words = spellings::with_run(std::env::args_os().collect());
    let command = match Arguments::try_parse_from(&words) {
        Ok(arguments) => arguments.command,
        Err(error) => return say::usage(spellings::explain(error, &words)),
    };
    let inherited = match command {
        // A worker's sockets are inherited; the others run no program in this process.
        Command::Worker { .. }
        | Command::Cache(_)
        | Command::Doctor(_)
        | Command::Selftest(_)
        | Command::Completions(_)
        | Command::Man(_) => None,
        // SAFETY: this process has done nothing yet but to look at its arguments.
        Command::Run(_) | Command::Compile(_) => match unsafe { Inherited::take() } {
            Ok(inherited) => Some(inherited),
            Err(error) => {
                note(format_args!("cannot tell which files were inherited: {error}"));
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
        Command::Completions(completions) => completions.execute(),
        Command::Man(man) => man.execute(),
        Command::Worker { verbose } => {
            // A parent that is told to end still asks what its programs used.
            if let Err(error) = wrt_platform::signal::leave_terminal_to_parent() {
                note(format_args!("Ctrl-C ends this worker, too: {error}"));
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
        note(format_args!(
            "no hypervisor ({}): programs run in a child process without system calls, \
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, CommandFactory as _};

    fn help(argument: &Arg) -> String {
        let help = argument.get_long_help().or_else(|| argument.get_help());
        help.map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn the_command_line_has_no_contradictions() {
        Arguments::command().debug_assert();
    }

    /// A newcomer reads what happens without an option, and what may be typed.
    #[test]
    fn options_tell_their_defaults_and_units() {
        let mut command = Arguments::command();
        command.build();
        let mut options = 0;
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let takes =
                |option: &&Arg| !option.is_positional() && option.get_action().takes_values();
            for option in sub.get_arguments().filter(takes) {
                let (help, name) = (help(option), format!("{} {option}", sub.get_name()));
                let told = !option.get_default_values().is_empty() || help.contains("[default: ");
                assert!(told, "{name} does not tell its default: {help}");
                let value = option.get_value_names().unwrap_or_default().join(" ");
                let unit = match value.as_str() {
                    "TIME" => "s`",
                    "SIZE" => "iB`",
                    _ => "",
                };
                assert!(help.contains(unit), "{name} does not tell its unit: {help}");
                options += 1;
            }
        }
        assert!(options > 15, "{options} options");
    }
}

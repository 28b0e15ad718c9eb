//! The `wrt-vm` command.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

//! An exit code that `main` returns.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(42)
}

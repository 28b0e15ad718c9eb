//! Lints what runs in a VM with the flags it is built with.
//!
//! An example, not a binary, so that `cargo run` at the root has one program to run.

use anyhow::{Context as _, Result};
use std::path::Path;
use wrt_guest_builder::{Arch, Builder};

fn main() -> Result<()> {
    let work = std::env::args_os().nth(1).context("usage: check WORK-FOLDER")?;
    let builder = std::env::var_os("CARGO_MANIFEST_DIR").context("run me by `cargo run`")?;
    let builder = Builder::new(Path::new(&builder).join(".."), work);
    [Arch::X86_64, Arch::Aarch64].into_iter().try_for_each(|arch| builder.lint(arch))
}

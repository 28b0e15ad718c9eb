//! `guest-check`: lints the guest kernel with the flags it is built with.

use anyhow::{Context as _, Result};
use wrt_guest_builder::{Action, Arch, Builder};

fn main() -> Result<()> {
    let work = std::env::args_os().nth(1).context("usage: guest-check WORK-FOLDER")?;
    Builder::new(work).run(Arch::X86_64, Action::Clippy)
}

//! Builds what `guest/images` embeds, on behalf of its build script, and prints the folder.
//!
//! A program of its own, since a build script without dependencies begins earlier; an example for
//! the reason that `check` is one.

use anyhow::{Context as _, Result};
use wrt_guest_builder::{Arch, Builder};

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = || arguments.next().context("usage: images GUEST-FOLDER ARCH WORK-FOLDER");
    let (guest, arch, work) = (next()?, next()?, next()?);
    let arch = arch.to_str().and_then(Arch::from_name).context("not a guest's architecture")?;
    println!("{}", Builder::new(guest, work).build_images(arch)?.display());
    Ok(())
}

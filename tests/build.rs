//! Builds the evil guest, which the isolation harness embeds.

use anyhow::{Context as _, Result};
use std::path::PathBuf;
use wrt_guest_builder::{Arch, Builder, work_folder};

fn main() -> Result<()> {
    println!("cargo::rustc-check-cfg=cfg(evil)");
    let name = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let variable = |name| std::env::var_os(name).map(PathBuf::from).context(name);
    let work = work_folder(&variable("OUT_DIR")?);
    let builder = Builder::new(variable("CARGO_MANIFEST_DIR")?.join("../guest"), work);
    for input in builder.evil_inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    if let Some(arch) = Arch::from_name(&name)
        && let Some(image) = builder.build_evil(arch)?
    {
        println!("cargo::rustc-cfg=evil");
        println!("cargo::rustc-env=WRT_EVIL={}", image.display());
    }
    Ok(())
}

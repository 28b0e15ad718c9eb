//! Builds what the library embeds: the guest kernels' images, the compiler, and the program
//! of the child process that stands in for a VM where there is no hypervisor.

use anyhow::{Context as _, Result};
use std::fs::File;
use std::path::PathBuf;
use wrt_guest_builder::{Arch, Builder, Kernel};

fn main() -> Result<()> {
    let name = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let arch = Arch::from_name(&name)
        .with_context(|| format!("wrt-vm has no guest kernel for {name} yet"))?;
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    // One guest for all profiles and feature sets of the host: it is the same program, and
    // takes a minute to optimise.
    let shared = out.ancestors().nth(4).unwrap_or(&out).join("guest");
    let host = std::env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let builder = Builder::new(PathBuf::from(host).join("../guest"), shared);
    for input in builder.inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    for (variable, kernel) in
        [("WRT_INTERP_IMAGE", Kernel::Interp), ("WRT_NATIVE_IMAGE", Kernel::Native)]
    {
        let image = builder.build(arch, kernel)?;
        println!("cargo::rustc-env={variable}={}", image.display());
    }
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        let child = builder.build_child(arch)?;
        println!("cargo::rustc-env=WRT_CHILD={}", child.display());
    }
    let compiler = builder.build_compiler(arch)?;
    println!("cargo::rustc-env=WRT_COMPILER={}", compiler.display());
    let id = blake3::Hasher::new().update_reader(File::open(&compiler)?)?.finalize();
    println!("cargo::rustc-env=WRT_COMPILER_ID={id}");
    Ok(())
}

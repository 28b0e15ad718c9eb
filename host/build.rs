//! Builds what the library embeds: the guest kernels' images, the compiler, and the program
//! of the child process that stands in for a VM where there is no hypervisor.

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use wrt_guest_builder::{Arch, Builder, Kernel};

fn main() -> Result<()> {
    let name = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let arch = Arch::from_name(&name)
        .with_context(|| format!("wrt-vm has no guest kernel for {name} yet"))?;
    let mut guests = vec![arch];
    // The simulated Hypervisor.framework is an Arm wherever it runs.
    if std::env::var_os("CARGO_FEATURE_HVSIM").is_some() && arch != Arch::Aarch64 {
        guests.push(Arch::Aarch64);
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    // One guest for all profiles and feature sets of the host: it is the same program, and
    // takes a minute to optimise. Below the folder that all targets share, too.
    let shared = shared_folder(&out).join("guest");
    let host = std::env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let builder = Builder::new(PathBuf::from(host).join("../guest"), shared);
    for input in builder.inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    fs::write(out.join("guests.rs"), embed(&builder, &guests)?)?;
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux")
        && let Some(child) = builder.build_child(arch)?
    {
        println!("cargo::rustc-env=WRT_CHILD={}", child.display());
    }
    Ok(())
}

/// Builds the guests, and writes the Rust that embeds them: see `src/embedded.rs`.
fn embed(builder: &Builder, guests: &[Arch]) -> Result<String> {
    let mut source = String::from("pub(crate) static GUESTS: &[Guest] = &[\n");
    let mut id = None;
    for &arch in guests {
        let compiler = builder.build_compiler(arch)?;
        if id.is_none() {
            id = Some(blake3::Hasher::new().update_reader(File::open(&compiler)?)?.finalize());
        }
        writeln!(source, "    Guest {{")?;
        writeln!(source, "        arch: Arch::{arch:?},")?;
        for (field, file) in [
            ("interp", builder.build(arch, Kernel::Interp)?),
            ("native", builder.build(arch, Kernel::Native)?),
            ("compiler", compiler),
        ] {
            writeln!(source, "        {field}: &PageAligned(*include_bytes!({file:?})),")?;
        }
        writeln!(source, "    }},")?;
    }
    let id = id.context("there is no guest to embed")?;
    writeln!(source, "];\npub(crate) const COMPILER_ID: &str = \"{id}\";")?;
    Ok(source)
}

/// The target folder, from `OUT_DIR`: TARGET/\[TRIPLE/\]PROFILE/build/PACKAGE/out.
fn shared_folder(out: &Path) -> &Path {
    let up = match std::env::var("HOST") == std::env::var("TARGET") {
        true => 4,
        false => 5,
    };
    out.ancestors().nth(up).unwrap_or(out)
}

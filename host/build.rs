//! Builds what the library embeds: the guest kernels' images, the compiler, and the program
//! of the child process that stands in for a VM where there is no hypervisor.

#[path = "build/commit.rs"]
mod commit;

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
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
    let shared = wrt_guest_builder::work_folder(&out);
    let host = std::env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?;
    let builder = Builder::new(PathBuf::from(host).join("../guest"), shared);
    for input in builder.inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    builder.check_toolchain(&guests, &[])?;
    fs::write(out.join("guests.rs"), embed(&builder, &guests)?)?;
    println!("cargo::rustc-env=WRT_ENGINES={}", builder.engines()?);
    commit::say();
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-env=WRT_CHILD={}", builder.build_child(arch)?.display());
    }
    Ok(())
}

/// Builds the guests, and writes the Rust that embeds them: see `src/embedded.rs`.
fn embed(builder: &Builder, guests: &[Arch]) -> Result<String> {
    let mut source = String::from("pub(crate) static GUESTS: &[Guest] = &[\n");
    let mut id = None;
    for &arch in guests {
        let compiler = builder.build_compiler(arch)?;
        let program = fs::read(&compiler)?;
        let text = code_in(&program).context("the compiler's artefact has no code")?;
        if id.is_none() {
            id = Some(blake3::hash(&program));
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
        writeln!(source, "        text: Text {{ start: {}, end: {} }},", text.start, text.end)?;
        writeln!(source, "    }},")?;
    }
    let id = id.context("there is no guest to embed")?;
    writeln!(source, "];\npub(crate) const COMPILER_ID: &str = \"{id}\";")?;
    Ok(source)
}

/// Where the one executable section of an artefact, a 64-bit ELF file, is in it.
fn code_in(elf: &[u8]) -> Option<Range<u64>> {
    /// `SHF_EXECINSTR`.
    const EXECUTABLE: u64 = 4;
    let word = |at: usize| Some(u64::from_le_bytes(*elf.get(at..)?.first_chunk()?));
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(*elf.get(at..)?.first_chunk()?)));
    // Of the header: e_shoff, e_shentsize, e_shnum; of a section: sh_flags, sh_offset, sh_size.
    let (table, size) = (usize::try_from(word(0x28)?).ok()?, half(0x3a)?);
    (0..half(0x3c)?).map(|number| table + number * size).find_map(|section| {
        let code = word(section + 8)? & EXECUTABLE != 0;
        let (start, len) = (word(section + 0x18)?, word(section + 0x20)?);
        code.then_some(start..start + len)
    })
}

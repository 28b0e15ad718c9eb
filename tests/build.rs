//! Builds the evil guests, which the isolation harness embeds.

use anyhow::{Context as _, Result};
use std::fmt::Write as _;
use std::path::PathBuf;
use wrt_guest_builder::{Arch, Builder, work_folder};

fn main() -> Result<()> {
    println!("cargo::rustc-check-cfg=cfg(evil)");
    let name = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    let variable = |name| std::env::var_os(name).map(PathBuf::from).context(name);
    let out = variable("OUT_DIR")?;
    let work = work_folder(&out);
    // Where the native kernel's interfaces are, once it is built.
    println!("cargo::rustc-env=WIT={}", work.join("wit").display());
    let builder = Builder::new(variable("CARGO_MANIFEST_DIR")?.join("../guest"), work);
    for input in builder.evil_inputs() {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let Some(arch) = Arch::from_name(&name) else { return Ok(()) };
    let mut guests = vec![arch];
    // The simulated Hypervisor.framework is an Arm wherever it runs. Whether it is in this build
    // is another package's feature, which this script does not learn of.
    if arch != Arch::Aarch64 {
        guests.push(Arch::Aarch64);
    }
    // The tests build WASI programs, too.
    builder.check_toolchain(&guests, &["wasm32-wasip2"])?;
    let mut source = String::from(
        "pub(crate) fn file(arch: Arch) -> Option<Box<PageAligned<[u8]>>> {\n    match arch {\n",
    );
    for guest in guests {
        let image = builder.build_evil(guest)?;
        let file = format!("Some(Box::new(PageAligned(*include_bytes!({image:?}))))");
        writeln!(source, "        Arch::{guest:?} => {file},")?;
    }
    source.push_str("        #[allow(unreachable_patterns)]\n        _ => None,\n    }\n}\n");
    std::fs::write(out.join("evil.rs"), source)?;
    println!("cargo::rustc-cfg=evil");
    Ok(())
}

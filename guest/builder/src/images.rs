//! The folder with everything that the library embeds for one processor.
//!
//! `guest/images` embeds it. A package of that crate holds such folders and no sources, so the
//! folder says which versions it belongs to.

use crate::{Arch, Builder, Kernel};
use anyhow::{Context as _, Result};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use wrt_abi::ABI_VERSION;

impl Builder {
    /// Builds the guest kernels, the compiler and the child's program for `arch`, and returns
    /// the folder that has them.
    ///
    /// The compiler takes as long as everything else, and neither keeps all processors busy in
    /// its last steps: they are built at the same time, in target folders of their own.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_images(&self, arch: Arch) -> Result<PathBuf> {
        let (compiler, others) = thread::scope(|scope| {
            let compiler = scope.spawn(|| self.build_compiler(arch));
            let others = self.build_all_but_compiler(arch);
            (compiler.join(), others)
        });
        let compiler = compiler.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;

        let folder = self.work.join("images").join(arch.name());
        fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        let program = fs::read(&compiler)?;
        let text = code_in(&program).context("the compiler's artefact has no code")?;
        for (name, file) in others? {
            update(&folder.join(name), &fs::read(&file)?)?;
        }
        update(&folder.join("compiler"), &program)?;
        let manifest = format!(
            "version {}\nabi {ABI_VERSION}\nengines {}\ncompiler {}\ntext {} {}\n",
            env!("CARGO_PKG_VERSION"),
            self.engines()?,
            blake3::hash(&program),
            text.start,
            text.end
        );
        update(&folder.join("manifest"), manifest.as_bytes())?;
        Ok(folder)
    }

    /// Builds the small things; returns each one's name in the folder, and its file.
    fn build_all_but_compiler(&self, arch: Arch) -> Result<[(&'static str, PathBuf); 3]> {
        Ok([
            ("native", self.build(arch, Kernel::Native)?),
            ("interp", self.build(arch, Kernel::Interp)?),
            ("child", self.build_child(arch)?),
        ])
    }
}

/// Writes a file, unless it has these contents: whatever embeds it is not compiled again then.
pub(crate) fn update(file: &Path, contents: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|current| current == contents) {
        return Ok(());
    }
    // Another build may share the folder: it never sees half a file.
    let unfinished = file.with_extension(std::process::id().to_string());
    fs::write(&unfinished, contents)
        .and_then(|()| fs::rename(&unfinished, file))
        .with_context(|| format!("{}", file.display()))
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

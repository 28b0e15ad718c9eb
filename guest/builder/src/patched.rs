//! Copies of crates with `guest/patches` applied.
//!
//! The released sources are copied below the work folder once, and the patches, one file for one
//! source file, are applied to the copy. Nothing is written when the copy is up to date, so
//! that cargo's own freshness checks hold.

use crate::pinned::Pinned;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Makes the patched copies; returns each crate's name with the folder of its copy.
pub(crate) fn prepare(
    guest: &Path,
    copies: &Path,
    pinned: &Pinned,
) -> Result<Vec<(String, PathBuf)>> {
    let patches = guest.join("patches");
    let mut result = Vec::new();
    for entry in fs::read_dir(&patches).with_context(|| format!("{}", patches.display()))? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let copy = copies.join(&name);
        mirror(pinned.sources(&name)?, &copy, &entry.path())?;
        result.push((name, copy));
    }
    Ok(result)
}

/// Copies the sources at `from` to `to`, with the patches below `patches` applied.
fn mirror(from: &Path, to: &Path, patches: &Path) -> Result<()> {
    let kept = |path: &Path| path.starts_with("src") || path.parent() == Some(Path::new(""));
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let path = entry.path().strip_prefix(from)?;
        if !entry.file_type().is_file() || !kept(path) {
            continue;
        }
        let mut patch_name = path.as_os_str().to_owned();
        patch_name.push(".patch");
        let patch = patches.join(patch_name);
        let contents = fs::read(entry.path())?;
        let contents = if patch.exists() { apply(contents, &patch)? } else { contents };
        let target = to.join(path);
        if fs::read(&target).is_ok_and(|current| current == contents) {
            continue;
        }
        fs::create_dir_all(target.parent().context("a file has a folder")?)?;
        fs::write(&target, contents).with_context(|| format!("{}", target.display()))?;
    }
    Ok(())
}

fn apply(contents: Vec<u8>, patch: &Path) -> Result<Vec<u8>> {
    let text = fs::read(patch)?;
    let parsed = diffy::Patch::from_bytes(&text).with_context(|| format!("{}", patch.display()))?;
    diffy::apply_bytes(&contents, &parsed)
        .with_context(|| format!("{} does not apply", patch.display()))
}

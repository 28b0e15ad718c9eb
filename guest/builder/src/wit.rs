//! The interfaces that the native engine's kernel implements, for `bindgen!`.
//!
//! The kernel's world is `guest/wit/world.wit`. The packages that it imports from are in the crates
//! of [`PACKAGES`], as they were released. All are copied to one folder. The macro takes its path as
//! a literal only, so a file beside the folder hands it over. Nothing is written when it is up to
//! date, so that cargo's own freshness checks hold.

use crate::images::update;
use crate::pinned::Pinned;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Crates, and the folder in each that holds WIT packages, one file a package.
const PACKAGES: [(&str, &str); 1] = [("wasmtime-wasi", "src/p2/wit/deps")];

/// Makes the folder `wit` below `work`; returns the Rust file that names it, for `include!`.
pub(crate) fn prepare(guest: &Path, work: &Path, pinned: &Pinned) -> Result<PathBuf> {
    let wit = work.join("wit");
    let packages = wit.join("deps");
    fs::create_dir_all(&packages).with_context(|| format!("{}", packages.display()))?;
    copy(&guest.join("wit/world.wit"), &wit.join("world.wit"))?;
    let mut names = BTreeSet::new();
    for (name, folder) in PACKAGES {
        for file in files(&pinned.sources(name)?.join(folder))? {
            let file_name = file.file_name().context("a file has a name")?.to_owned();
            copy(&file, &packages.join(&file_name))?;
            names.insert(file_name);
        }
    }
    // Another version may have had others.
    for file in files(&packages)? {
        if file.file_name().is_some_and(|name| !names.contains(name)) {
            fs::remove_file(&file).with_context(|| format!("{}", file.display()))?;
        }
    }
    let bindings = work.join("wit.rs");
    update(&bindings, format!("bindings!({wit:?});\n").as_bytes())?;
    Ok(bindings)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    update(to, &fs::read(from).with_context(|| format!("{}", from.display()))?)
}

/// The WIT files in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path()));
    let is_wit = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "wit");
    paths.filter(|path| path.as_ref().map_or(true, is_wit)).collect()
}

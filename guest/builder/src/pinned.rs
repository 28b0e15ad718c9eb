//! Released sources of crates that the guest uses in part or with changes.
//!
//! `Cargo.toml` pins them, and `cargo metadata` says where cargo keeps them (and fetches and checks
//! them).

use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, MetadataCommand};
use std::path::Path;

/// The crates that `builder/Cargo.toml` depends on, wherever they are.
pub(crate) struct Pinned(Metadata);

impl Pinned {
    /// Asks cargo.
    pub(crate) fn find(guest: &Path) -> Result<Self> {
        let metadata = MetadataCommand::new()
            .manifest_path(guest.join("builder/Cargo.toml"))
            // The outer build's, for its target.
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .exec()
            .context("cannot find the sources of the guest's dependencies")?;
        Ok(Self(metadata))
    }

    /// The folder with a crate's sources.
    pub(crate) fn sources(&self, name: &str) -> Result<&Path> {
        let mut packages = self.0.packages.iter();
        let package = packages
            .find(|package| package.name.as_str() == name && package.source.is_some())
            .with_context(|| format!("guest/builder/Cargo.toml pins no {name}"))?;
        let folder = package.manifest_path.parent().context("a manifest has a folder")?;
        Ok(folder.as_std_path())
    }
}

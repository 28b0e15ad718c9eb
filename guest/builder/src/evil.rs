//! The evil guest: an image like a kernel's, for tests alone.

use crate::{Action, Arch, Builder, Kernel};
use anyhow::Result;
use std::path::PathBuf;

/// Its package.
const PACKAGE: &str = "wrt-evil";

impl Builder {
    /// Files and folders whose contents decide what [`Self::build_evil`] builds.
    pub fn evil_inputs(&self) -> Vec<PathBuf> {
        let paths = ["evil", "src/arch/link.ld", "Cargo.toml", "builder/src", "../shared-abi/src"];
        paths.map(|path| self.guest.join(path)).to_vec()
    }

    /// Builds the evil guest for `arch` and returns the path of its ELF file.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_evil(&self, arch: Arch) -> Result<PathBuf> {
        self.run_on_evil(arch, Action::Build)?;
        Ok(self.target().join(arch.triple(Kernel::Native)).join("release").join(PACKAGE))
    }

    /// Lints it.
    pub(crate) fn lint_evil(&self, arch: Arch) -> Result<()> {
        self.run_on_evil(arch, Action::Clippy)
    }

    /// It is linked as the native engine's kernel is.
    fn run_on_evil(&self, arch: Arch, action: Action) -> Result<()> {
        let flags = arch.rustflags(Kernel::Native, &self.guest);
        self.cargo(action, &self.target(), Some(&flags), |cargo| {
            cargo.args([
                "--package",
                PACKAGE,
                "--release",
                "--target",
                arch.triple(Kernel::Native),
            ]);
        })
    }
}

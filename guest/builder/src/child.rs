//! The child process's program, for the `process` backend.

use crate::{Action, Arch, Builder};
use anyhow::Result;
use std::path::PathBuf;

/// Its package.
const PACKAGE: &str = "wrt-child";

impl Arch {
    /// The triple that the child is compiled for, if there is a child for this architecture:
    /// no operating system, since it has no library.
    fn child_triple(self) -> Option<&'static str> {
        match self {
            Self::X86_64 => Some("x86_64-unknown-none"),
            Self::Aarch64 => None,
        }
    }
}

impl Builder {
    /// Builds the child's program for `arch` and returns the path of its ELF file, or `None` if
    /// there is no child for this architecture.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_child(&self, arch: Arch) -> Result<Option<PathBuf>> {
        let Some(triple) = arch.child_triple() else { return Ok(None) };
        self.run_on_child(triple, Action::Build)?;
        Ok(Some(self.target().join(triple).join("release").join(PACKAGE)))
    }

    /// Lints the child's program.
    pub(crate) fn lint_child(&self, arch: Arch) -> Result<()> {
        match arch.child_triple() {
            Some(triple) => self.run_on_child(triple, Action::Clippy),
            None => Ok(()),
        }
    }

    fn run_on_child(&self, triple: &str, action: Action) -> Result<()> {
        let script = self.guest.join("child/link.ld");
        let mut flags = vec![
            // It is linked for a fixed place, but one far above what a 32-bit address reaches.
            "-Crelocation-model=pic".to_owned(),
            format!("-Clink-arg=-T{}", script.display()),
        ];
        for arg in ["--no-pie", "--build-id=none", "--gc-sections", "-z", "max-page-size=4096"] {
            flags.push(format!("-Clink-arg={arg}"));
        }
        self.cargo(action, &flags, |cargo| {
            cargo.args(["--package", PACKAGE, "--release", "--target", triple]);
        })
    }
}

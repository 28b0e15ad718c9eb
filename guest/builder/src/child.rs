//! The child process's program, for the `process` backend.

use crate::{Action, Arch, Builder};
use anyhow::Result;
use std::path::PathBuf;

/// Its package.
const PACKAGE: &str = "wrt-child";

impl Arch {
    /// The triple that the child is compiled for: no operating system, since it has no library.
    fn child_triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-none",
            Self::Aarch64 => "aarch64-unknown-none",
        }
    }
}

impl Builder {
    /// Builds the child's program for `arch` and returns the path of its ELF file.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_child(&self, arch: Arch) -> Result<PathBuf> {
        let triple = arch.child_triple();
        self.run_on_child(triple, Action::Build)?;
        Ok(self.target().join(triple).join("release").join(PACKAGE))
    }

    /// Lints the child's program.
    pub(crate) fn lint_child(&self, arch: Arch) -> Result<()> {
        self.run_on_child(arch.child_triple(), Action::Clippy)
    }

    fn run_on_child(&self, triple: &str, action: Action) -> Result<()> {
        let script = self.guest.join("child/link.ld");
        let mut flags = vec![
            // It is linked for a fixed place, but one far above what a 32-bit address reaches.
            "-Crelocation-model=pic".to_owned(),
            format!("-Clink-arg=-T{}", script.display()),
        ];
        for arg in ["--no-pie", "--build-id=none", "--gc-sections", "-z", "max-page-size=16384"] {
            flags.push(format!("-Clink-arg={arg}"));
        }
        self.cargo(action, &self.target(), Some(&flags), |cargo| {
            cargo.args(["--package", PACKAGE, "--release", "--target", triple]);
        })
    }
}

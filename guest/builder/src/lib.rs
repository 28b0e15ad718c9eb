//! Builds the guest kernel's images.
//!
//! The guest is a freestanding program for another target than the host, so cargo cannot
//! build both in one go: `host`'s build script calls [`Builder::build`], which runs cargo
//! once more in `guest/`. Two things make this more than a call:
//!
//! * wasmi is used with the changes in `guest/patches` ([`patched`] explains how);
//! * on x86-64 the image is linked for the host's own Linux triple, without its C library:
//!   `x86_64-unknown-none` has soft floats, with which an interpreter is slow and wasmi's
//!   dispatch grows the stack at every instruction.

mod patched;

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Architecture of a guest image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
}

impl Arch {
    /// The architecture with Rust's name for it, if there is a guest for it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
        }
    }

    /// The triple that the guest is compiled for.
    fn triple(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    fn rustflags(self, guest: &Path) -> Vec<String> {
        let script = guest.join("src/arch").join(self.name()).join("link.ld");
        let link_arg = |arg: &str| format!("-Clink-arg={arg}");
        let mut flags = vec![
            "-Crelocation-model=static".to_owned(),
            link_arg("-nostdlib"),
            link_arg(&format!("-T{}", script.display())),
            link_arg("-Wl,--build-id=none"),
            link_arg("-Wl,--gc-sections"),
        ];
        match self {
            Self::X86_64 => flags.extend([
                // SSE4.2 and POPCNT: every x86-64 machine with EPT or NPT has them, and
                // `hypervisor::kvm` refuses one that does not.
                "-Ctarget-cpu=x86-64-v2".to_owned(),
                link_arg("-nostartfiles"),
                link_arg("-static"),
                link_arg("-no-pie"),
                link_arg("-Wl,-z,max-page-size=4096"),
                link_arg("-Wl,-z,noexecstack"),
            ]),
        }
        flags
    }
}

/// What to run on the guest's sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Compile and link.
    Build,
    /// Lint, warnings denied.
    Clippy,
}

/// Runs cargo on the guest.
#[derive(Clone, Debug)]
pub struct Builder {
    guest: PathBuf,
    work: PathBuf,
}

impl Builder {
    /// A builder of the sources in the folder `guest` that keeps its patched copies and build
    /// outputs below `work`.
    ///
    /// The caller names the sources, since checkouts that share a target folder share this
    /// library too.
    pub fn new(guest: impl Into<PathBuf>, work: impl Into<PathBuf>) -> Self {
        let guest = guest.into();
        let guest = guest.canonicalize().unwrap_or(guest);
        Self { guest, work: work.into() }
    }

    /// Folders whose contents decide what is built.
    pub fn inputs(&self) -> Vec<PathBuf> {
        let guest = &self.guest;
        ["src", "patches", "Cargo.toml", "Cargo.lock", "builder/src", "../shared-abi/src"]
            .map(|path| guest.join(path))
            .to_vec()
    }

    /// Builds the image for `arch` and returns the path of its ELF file.
    ///
    /// # Errors
    ///
    /// When cargo fails (its own output says why) or a patch does not apply.
    pub fn build(&self, arch: Arch) -> Result<PathBuf> {
        self.run(arch, Action::Build)?;
        let name = "wrt-guest";
        Ok(self.work.join("target").join(arch.triple()).join("release").join(name))
    }

    /// Runs cargo on the guest for `arch`.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn run(&self, arch: Arch, action: Action) -> Result<()> {
        let sources = patched::prepare(&self.guest, &self.work.join("patched"))?;
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.guest);
        // The outer build's flags, wrappers and profile are for the host.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let outer = name.starts_with("CARGO_PROFILE_")
                || name.starts_with("CARGO_TARGET_")
                || name.starts_with("CARGO_FEATURE_")
                || name.starts_with("CARGO_CFG_")
                || name.starts_with("CARGO_BUILD_");
            if outer {
                cargo.env_remove(&*name);
            }
        }
        for name in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS"] {
            cargo.env_remove(name);
        }
        cargo
            .args(match action {
                Action::Build => &["build"][..],
                Action::Clippy => &["clippy"][..],
            })
            .args(["--release", "--locked", "--target", arch.triple()])
            .arg("--target-dir")
            .arg(self.work.join("target"))
            .env("CARGO_ENCODED_RUSTFLAGS", arch.rustflags(&self.guest).join("\u{1f}"));
        for (name, path) in sources {
            cargo.arg("--config");
            cargo.arg(format!("patch.crates-io.{name}.path={path:?}"));
        }
        if action == Action::Clippy {
            cargo.args(["--", "-D", "warnings"]);
        }
        let status = cargo.status().context("cannot run cargo on the guest")?;
        ensure!(status.success(), "cargo failed on the guest kernel ({status})");
        Ok(())
    }
}

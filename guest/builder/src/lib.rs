//! Builds the guest kernel's images.
//!
//! The guest is a freestanding program for another target than the host, so cargo cannot
//! build both in one go: `host`'s build script calls [`Builder::build`], which runs cargo
//! once more in `guest/`. Two things make this more than a call:
//!
//! * wasmi is used with the changes in `guest/patches` ([`patched`] explains how);
//! * on x86-64 the interpreter's kernel is linked for the host's own Linux triple, without its
//!   C library: `x86_64-unknown-none` has soft floats, with which an interpreter is slow and
//!   wasmi's dispatch grows the stack at every instruction. The native engine's kernel is
//!   built for that triple, because wasmtime wants `std` on every other; compiled code has
//!   its floats in registers all the same.

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

    /// The triple that a kernel is compiled for.
    fn triple(self, kernel: Kernel) -> &'static str {
        match (self, kernel) {
            (Self::X86_64, Kernel::Interp) => "x86_64-unknown-linux-gnu",
            (Self::X86_64, Kernel::Native) => "x86_64-unknown-none",
        }
    }

    fn rustflags(self, kernel: Kernel, guest: &Path) -> Vec<String> {
        let script = guest.join("src/arch").join(self.name()).join("link.ld");
        let mut flags = vec!["-Crelocation-model=static".to_owned()];
        let mut link_arg = |arg: &str| flags.push(format!("-Clink-arg={arg}"));
        link_arg(&format!("-T{}", script.display()));
        match (self, kernel) {
            // Linked by the C compiler.
            (Self::X86_64, Kernel::Interp) => {
                for arg in ["-nostdlib", "-nostartfiles", "-static", "-no-pie"] {
                    link_arg(arg);
                }
                link_arg("-Wl,--build-id=none,--gc-sections");
                link_arg("-Wl,-z,max-page-size=4096,-z,noexecstack");
                // SSE4.2 and POPCNT: every x86-64 machine with EPT or NPT has them, and
                // `hypervisor::kvm` refuses one that does not.
                flags.push("-Ctarget-cpu=x86-64-v2".to_owned());
            }
            // Linked by rustc's own linker.
            (Self::X86_64, Kernel::Native) => {
                for arg in ["--build-id=none", "--gc-sections", "-z", "max-page-size=4096"] {
                    link_arg(arg);
                }
            }
        }
        flags
    }
}

/// Which guest kernel: each holds one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// With the interpreter.
    Interp,
    /// With the runtime for code that was compiled ahead of time.
    Native,
}

impl Kernel {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Interp, Self::Native];

    /// The guest's cargo feature.
    fn feature(self) -> &'static str {
        match self {
            Self::Interp => "interp",
            Self::Native => "native",
        }
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
        [
            "src",
            "engine-config",
            "patches",
            "Cargo.toml",
            "Cargo.lock",
            "builder/src",
            "../shared-abi/src",
        ]
        .map(|path| guest.join(path))
        .to_vec()
    }

    /// Builds a kernel's image for `arch` and returns the path of its ELF file.
    ///
    /// # Errors
    ///
    /// When cargo fails (its own output says why) or a patch does not apply.
    pub fn build(&self, arch: Arch, kernel: Kernel) -> Result<PathBuf> {
        self.run(arch, kernel, Action::Build)?;
        let target = self.work.join("target").join(arch.triple(kernel));
        Ok(target.join("release/wrt-guest"))
    }

    /// Runs cargo on a kernel for `arch`.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn run(&self, arch: Arch, kernel: Kernel, action: Action) -> Result<()> {
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
            .args(["--package", "wrt-guest", "--features", kernel.feature()])
            .args(["--release", "--locked", "--target", arch.triple(kernel)])
            .arg("--target-dir")
            .arg(self.work.join("target"))
            .env("CARGO_ENCODED_RUSTFLAGS", arch.rustflags(kernel, &self.guest).join("\u{1f}"));
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

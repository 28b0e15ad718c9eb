//! Builds what runs in a VM: the guest kernel's images and the compiler.
//!
//! These are programs for other targets than the host, so cargo cannot build all in one go:
//! the build script of `guest/images` runs a [`Builder`], which runs cargo once more in `guest/`.
//! Some things make this more than a call:
//!
//! * wasmi is used with the changes in `guest/patches` (`patched` explains how);
//! * the native engine's kernel implements interfaces of WASI that stand in released crates
//!   (`wit` says which);
//! * on x86-64 the interpreter's kernel is linked for the host's own Linux triple, without its
//!   C library: `x86_64-unknown-none` has soft floats, with which an interpreter is slow and
//!   wasmi's dispatch grows the stack at every instruction. The native engine's kernel is
//!   built for that triple, because wasmtime wants `std` on every other; compiled code has
//!   its floats in registers all the same. On Arm one triple serves both;
//! * the compiler is compiled twice (`compiler` explains how): by rustc to WebAssembly, and
//!   that by itself to the artefact which the native engine runs.

mod child;
mod compiler;
mod evil;
mod images;
mod patched;
mod pinned;
mod wit;

use anyhow::{Context as _, Result, ensure};
use pinned::Pinned;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Architecture of a guest image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Arch {
    /// The architecture with Rust's name for it, if there is a guest for it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// What others call it.
    fn abi(self) -> wrt_abi::cpu::Arch {
        match self {
            Self::X86_64 => wrt_abi::cpu::Arch::X86_64,
            Self::Aarch64 => wrt_abi::cpu::Arch::Aarch64,
        }
    }

    /// The triple that a kernel is compiled for.
    fn triple(self, kernel: Kernel) -> &'static str {
        match (self, kernel) {
            (Self::X86_64, Kernel::Interp) => "x86_64-unknown-linux-gnu",
            (Self::X86_64, Kernel::Native) => "x86_64-unknown-none",
            (Self::Aarch64, _) => "aarch64-unknown-none",
        }
    }

    fn rustflags(self, kernel: Kernel, guest: &Path) -> Vec<String> {
        let script = guest.join("src/arch/link.ld");
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
                link_arg("-Wl,-z,max-page-size=16384,-z,noexecstack");
                // SSE4.2 and POPCNT: every x86-64 machine with EPT or NPT has them, and
                // `hypervisor::kvm` refuses one that does not.
                flags.push("-Ctarget-cpu=x86-64-v2".to_owned());
            }
            // Linked by rustc's own linker.
            (Self::X86_64, Kernel::Native) | (Self::Aarch64, _) => {
                for arg in ["--build-id=none", "--gc-sections", "-z", "max-page-size=16384"] {
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
enum Action {
    /// Compile and link.
    Build,
    /// Lint, warnings denied.
    Clippy,
}

/// Where build scripts have builders work: a folder that all targets share, found from a build
/// script's `OUT_DIR`, which is TARGET/\[TRIPLE/\]PROFILE/build/PACKAGE/out. The triple is there
/// when cargo was given one, be it the host's own.
pub fn work_folder(out: &Path) -> PathBuf {
    let folder = out.ancestors().nth(4).unwrap_or(out);
    let shared = match std::env::var("TARGET") {
        Ok(triple) if folder.ends_with(&triple) => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    shared.join("guest")
}

/// Runs cargo on the guest.
#[derive(Debug)]
pub struct Builder {
    guest: PathBuf,
    work: PathBuf,
    /// Once it is made.
    sources: Mutex<Option<Sources>>,
}

/// What the guest is built of besides its own folder.
#[derive(Clone, Debug)]
struct Sources {
    /// The patched copies of crates, each with its name.
    patched: Vec<(String, PathBuf)>,
    /// The Rust file that names the folder of WIT files.
    wit: PathBuf,
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
        Self { guest, work: work.into(), sources: Mutex::new(None) }
    }

    /// Checks that the toolchain can build guests for some architectures, and programs for the
    /// targets `others`. Targets that it lacks are added, if it is rustup's.
    ///
    /// # Errors
    ///
    /// When they cannot be added; what to type is on standard error.
    pub fn check_toolchain(&self, arches: &[Arch], others: &[&str]) -> Result<()> {
        let mut targets = vec![compiler::WASI];
        for arch in arches {
            targets.extend(Kernel::ALL.map(|kernel| arch.triple(kernel)));
        }
        targets.extend(others);
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let script = self.guest.join("check-toolchain");
        let status = Command::new(&script).arg(rustc).args(targets).status();
        let status = status.with_context(|| format!("cannot run {}", script.display()))?;
        ensure!(status.success(), "the toolchain cannot build the guests, as said above");
        Ok(())
    }

    /// The engines in the guests with their versions, as the lock file has them.
    ///
    /// # Errors
    ///
    /// When it names none.
    pub fn engines(&self) -> Result<String> {
        let lock = std::fs::read_to_string(self.guest.join("Cargo.lock"))?;
        let engine = |name: &str| {
            let (_, rest) = lock.split_once(&format!("name = \"{name}\"\nversion = \""))?;
            Some(format!("{name} {}", rest.split_once('"')?.0))
        };
        let both = engine("wasmi").zip(engine("wasmtime"));
        let (wasmi, wasmtime) = both.context("Cargo.lock names no engines")?;
        Ok(format!("{wasmi}, {wasmtime}"))
    }

    /// Builds a kernel's image for `arch` and returns the path of its ELF file.
    ///
    /// # Errors
    ///
    /// When cargo fails (its own output says why) or a patch does not apply.
    pub fn build(&self, arch: Arch, kernel: Kernel) -> Result<PathBuf> {
        self.run_on_kernel(arch, kernel, Action::Build)?;
        let built = self.target().join(arch.triple(kernel)).join("release/wrt-guest");
        // Kernels for one triple are built to the same place.
        let image = self.work.join(format!("wrt-guest-{}-{}", arch.name(), kernel.feature()));
        let unfinished = image.with_extension(std::process::id().to_string());
        std::fs::copy(&built, &unfinished).with_context(|| format!("{}", built.display()))?;
        std::fs::rename(&unfinished, &image)?;
        Ok(image)
    }

    /// Lints everything for `arch` with the flags that it is built with.
    ///
    /// # Errors
    ///
    /// When there are warnings, and as [`Self::build`].
    pub fn lint(&self, arch: Arch) -> Result<()> {
        for kernel in Kernel::ALL {
            self.run_on_kernel(arch, kernel, Action::Clippy)?;
        }
        self.lint_child(arch)?;
        self.lint_evil(arch)?;
        self.lint_compiler()
    }

    fn run_on_kernel(&self, arch: Arch, kernel: Kernel, action: Action) -> Result<()> {
        let flags = arch.rustflags(kernel, &self.guest);
        self.cargo(action, &self.target(), Some(&flags), |cargo| {
            cargo.args(["--package", "wrt-guest", "--features", kernel.feature()]);
            cargo.args(["--release", "--target", arch.triple(kernel)]);
        })
    }

    /// Where cargo puts what it builds, but for the compiler.
    fn target(&self) -> PathBuf {
        self.work.join("target")
    }

    fn sources(&self) -> Result<Sources> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sources) = &*sources {
            return Ok(sources.clone());
        }
        let pinned = Pinned::find(&self.guest)?;
        let made = Sources {
            patched: patched::prepare(&self.guest, &self.work.join("patched"), &pinned)?,
            wit: wit::prepare(&self.guest, &self.work, &pinned)?,
        };
        Ok(sources.insert(made).clone())
    }

    /// Runs cargo with the arguments that `arguments` adds. Without `rustflags` they may be
    /// among these.
    fn cargo(
        &self,
        action: Action,
        target: &Path,
        rustflags: Option<&[String]>,
        arguments: impl FnOnce(&mut Command),
    ) -> Result<()> {
        let Sources { patched, wit } = self.sources()?;
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
        for name in ["RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS"] {
            cargo.env_remove(name);
        }
        // Not this repository's either, which checks more than the guests need.
        cargo.env("RUSTC_WRAPPER", "");
        cargo.env("WRT_GUEST_WIT", wit);
        match rustflags {
            Some(flags) => cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
            None => cargo.env_remove("CARGO_ENCODED_RUSTFLAGS"),
        };
        cargo
            .arg(match action {
                Action::Build => "build",
                Action::Clippy => "clippy",
            })
            .arg("--locked")
            .arg("--target-dir")
            .arg(target);
        for (name, path) in patched {
            cargo.arg("--config");
            cargo.arg(format!("patch.crates-io.{name}.path={path:?}"));
        }
        arguments(&mut cargo);
        if action == Action::Clippy {
            cargo.args(["--", "-D", "warnings"]);
        }
        let status = cargo.status().context("cannot run cargo on the guest")?;
        ensure!(status.success(), "cargo failed on the guest ({status})");
        Ok(())
    }
}

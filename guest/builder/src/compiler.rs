//! The compiler: from its sources to the artefact that the host embeds.
//!
//! 1. rustc makes a WebAssembly program of it, for WASI.
//! 2. rustc makes a program for this machine of it, since somebody has to compile the
//!    compiler; optimised less, because it runs once.
//! 3. That one compiles the first to machine code, for any processor of the architecture.
//!
//! The last two are left out when the WebAssembly program is the one that was compiled last:
//! of the same sources, compilers make the same artefact wherever they run.

use crate::{Action, Arch, Builder};
use anyhow::{Context as _, Result, ensure};
use std::env::consts::EXE_SUFFIX;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use wrt_abi::compiler::NO_ADDRESS_MAP;

/// The compiler's package.
const PACKAGE: &str = "wrt-compiler";

/// Its profile in the guest's workspace.
const PROFILE: &str = "compiler";

/// The triple that it runs on in a VM.
pub(crate) const WASI: &str = "wasm32-wasip1";

/// How much rustc optimises the one that runs on this machine, once: little, and in parallel.
const CHEAPLY: [&str; 3] = ["opt-level=1", "codegen-units=16", "lto='off'"];

impl Builder {
    /// Builds the compiler and returns the path of its own artefact for `arch`: the native
    /// engine on any machine of that architecture runs it. It compiles for every architecture.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_compiler(&self, arch: Arch) -> Result<PathBuf> {
        self.run_on_compiler(Action::Build, &["--target", WASI])?;
        let module = self.target().join(WASI).join(PROFILE).join(PACKAGE).with_extension("wasm");
        let program = fs::read(&module).with_context(|| format!("{}", module.display()))?;

        let artifact = self.work.join(format!("{PACKAGE}-{}.cwasm", arch.name()));
        let compiled = artifact.with_extension("wasm");
        let is_current = || fs::read(&compiled).is_ok_and(|compiled| compiled == program);
        if artifact.exists() && is_current() {
            return Ok(artifact);
        }

        // The same profile by name, which leaves build scripts and macros shared.
        let settings = CHEAPLY.map(|setting| format!("profile.{PROFILE}.{setting}"));
        let cheaply: Vec<&str> = settings.iter().flat_map(|s| ["--config", s]).collect();
        self.run_on_compiler(Action::Build, &cheaply)?;
        let native = self.target().join(PROFILE).join(format!("{PACKAGE}{EXE_SUFFIX}"));

        // Another build may share the folder: nobody sees half an artefact.
        let unfinished = self.work.join(format!("{PACKAGE}.{}", std::process::id()));
        let status = Command::new(&native)
            .args([arch.name(), &arch.abi().baseline().to_string(), NO_ADDRESS_MAP])
            .stdin(File::open(&module)?)
            .stdout(File::create(&unfinished)?)
            .status()
            .with_context(|| format!("cannot run {}", native.display()))?;
        ensure!(status.success(), "the compiler failed on itself ({status})");
        if compiled.exists() {
            fs::remove_file(&compiled)?;
        }
        fs::rename(&unfinished, &artifact)?;
        fs::write(&compiled, program)?;
        Ok(artifact)
    }

    /// Lints the compiler.
    pub(crate) fn lint_compiler(&self) -> Result<()> {
        self.run_on_compiler(Action::Clippy, &["--target", WASI])
    }

    fn run_on_compiler(&self, action: Action, arguments: &[&str]) -> Result<()> {
        self.cargo(action, &[], |cargo| {
            cargo.args(["--package", PACKAGE, "--profile", PROFILE]);
            cargo.args(arguments);
        })
    }
}

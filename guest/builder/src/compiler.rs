//! The compiler: from its sources to the artefact that the host embeds.
//!
//! 1. rustc makes two programs of it: one for WASI, and one for this machine, since something has
//!    to compile the compiler; optimised less, because it runs once. One cargo run makes both, so
//!    that build scripts and macros, a tenth of the work, are compiled once.
//! 2. The second compiles the first to machine code, for any processor of the architecture.
//!
//! That is left out when the WebAssembly program is the one that was compiled last: of the same
//! sources, compilers make the same artefact wherever they run.

use crate::{Action, Arch, Builder};
use anyhow::{Context as _, Result, ensure};
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
const CHEAPLY: [&str; 2] = ["-Copt-level=1", "-Ccodegen-units=16"];
/// Leaves out of it the architectures that are not this machine's (`guest/patches` explains).
const OWN_ARCH: &str = "--cfg=wrt_own_arch";

impl Builder {
    /// Builds the compiler and returns the path of its own artefact for `arch`: the native
    /// engine on any machine of that architecture runs it. It compiles for every architecture.
    ///
    /// # Errors
    ///
    /// As [`Self::build`].
    pub fn build_compiler(&self, arch: Arch) -> Result<PathBuf> {
        let machine = this_machine()?;
        let mut flags = CHEAPLY.to_vec();
        if machine.starts_with(arch.name()) {
            flags.push(OWN_ARCH);
        }
        // Profiles and features are for all targets of a cargo run, flags are for one of them.
        let cheaply = format!("target.{machine}.rustflags={flags:?}");
        let targets = ["--target", WASI, "--target", &machine, "--config", &cheaply];
        self.run_on_compiler(Action::Build, &targets)?;
        let built = |triple: &str| self.compiler_target().join(triple).join(PROFILE).join(PACKAGE);
        let module = built(WASI).with_extension("wasm");
        let program = fs::read(&module).with_context(|| format!("{}", module.display()))?;

        let artifact = self.work.join(format!("{PACKAGE}-{}.cwasm", arch.name()));
        let compiled = artifact.with_extension("wasm");
        let is_current = || fs::read(&compiled).is_ok_and(|compiled| compiled == program);
        if artifact.exists() && is_current() {
            return Ok(artifact);
        }

        // Another build may share the folder: nobody sees half an artefact.
        let unfinished = self.work.join(format!("{PACKAGE}.{}", std::process::id()));
        let native = built(&machine);
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

    /// Where cargo puts the compilers: not where it puts the kernels, which it builds at the
    /// same time.
    fn compiler_target(&self) -> PathBuf {
        self.work.join("compiler")
    }

    fn run_on_compiler(&self, action: Action, arguments: &[&str]) -> Result<()> {
        self.cargo(action, &self.compiler_target(), None, |cargo| {
            cargo.args(["--package", PACKAGE, "--profile", PROFILE]);
            cargo.args(arguments);
        })
    }
}

/// The triple of the machine that this runs on, as rustc has it.
fn this_machine() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().context("cannot run rustc")?;
    let version = String::from_utf8(output.stdout)?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(triple.context("rustc -vV names no host")?.to_owned())
}

//! What the behaviour tests share: the setups that each of them runs on.
//!
//! A test is written once, as a loop over [`matrix`]; a new backend or engine is one line
//! here, and every suite runs on it.

pub mod programs;

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use wrt_vm::compiler::Target;
use wrt_vm::hypervisor::available;
use wrt_vm::vm::Builder;
use wrt_vm::worker::Workers;
use wrt_vm::{Backend, Cache, Compiler, EngineKind, Error, MicroVm, Module, Placement};

/// What takes this long hangs, on a machine that is emulated and busy, too: compiling a program
/// may take minutes there.
pub const HANG: Duration = Duration::from_secs(600);

/// One backend with one engine.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// The hypervisor.
    pub backend: Backend,
    /// The engine.
    pub engine: EngineKind,
}

impl Setup {
    /// Settings of a micro-VM of this setup.
    pub fn builder(self) -> Builder {
        if self.is_in_workers() { self.in_worker() } else { self.here() }
    }

    /// Whether its VMs are in processes of their own: one has one VM on macOS, and tests have
    /// several.
    pub fn is_in_workers(self) -> bool {
        self.backend == Backend::Hvf || std::env::var_os("WRT_WORKERS").is_some()
    }

    /// Settings of one in a worker process.
    pub fn in_worker(self) -> Builder {
        // A simulation of the framework makes code at run time.
        self.here().placement(Workers::new(program()).jailed(!self.is_simulated()))
    }

    /// Whether its VMs are in jails.
    pub fn is_jailed(self) -> bool {
        self.is_in_workers() && !self.is_simulated()
    }

    /// Whether its guests' processor is a program.
    pub fn is_simulated(self) -> bool {
        self.backend == Backend::Hvf && !cfg!(target_os = "macos")
    }

    /// The module for VMs of this setup: as it is, or compiled already where the processor is
    /// simulated, in which the compiler takes minutes.
    ///
    /// # Errors
    ///
    /// As [`Compiler::compile`].
    pub fn try_module(self, module: Module) -> Result<Module, Error> {
        if !self.is_simulated() || self.engine != EngineKind::Native {
            return Ok(module);
        }
        self.compiler().compile(&module, self.target())
    }

    /// As [`Self::try_module`].
    ///
    /// # Panics
    ///
    /// When it cannot be compiled.
    pub fn module(self, module: Module) -> Module {
        self.try_module(module).unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// A compiler: on this setup's backend, or where that has one VM a process or simulates its
    /// processor, on another.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn compiler(self) -> Compiler {
        let backend = if self.is_simulated() { Backend::Auto } else { self.backend };
        let hypervisor = backend.open().expect("a VM for the compiler");
        let placement = match hypervisor.one_vm_a_process() {
            true => Workers::new(program()).into(),
            false => Placement::Here,
        };
        Compiler::placed(hypervisor.as_ref(), placement)
            .unwrap_or_else(|error| panic!("{self}: {error}"))
    }

    /// What compiled code is for that its VMs run.
    ///
    /// # Panics
    ///
    /// When it cannot be opened, although [`matrix`] found that it can.
    pub fn target(self) -> Target {
        Target::of(self.backend.open().expect("it is available").as_ref())
    }

    fn here(self) -> Builder {
        MicroVm::builder().backend(self.backend).engine(self.engine).cache(cache())
    }

    /// Whether its guests' processor is an Arm.
    pub fn is_arm(self) -> bool {
        cfg!(target_arch = "aarch64") || self.backend == Backend::Hvf
    }

    /// A micro-VM of this setup.
    ///
    /// # Panics
    ///
    /// When it cannot be made, although [`matrix`] found that one can.
    pub fn vm(self) -> MicroVm {
        self.builder().build().unwrap_or_else(|error| panic!("{self}: no VM: {error}"))
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.backend.name(), self.engine)
    }
}

const ENGINES: [EngineKind; 2] = [EngineKind::Interp, EngineKind::Native];

/// The `wrt-vm` of this build, for workers.
///
/// # Panics
///
/// When it has not been built.
pub fn program() -> PathBuf {
    let program = target().join(format!("wrt-vm{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is missing: `cargo build` makes it", program.display());
    program
}

/// What was compiled for earlier tests, in the target folder: a module is compiled once.
fn cache() -> Cache {
    Cache::open(target().join("code-cache")).expect("a code cache in the target folder")
}

/// The folder of this build: target/PROFILE, of target/PROFILE/deps/PROGRAM, or of a program that
/// is no test.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a test knows its program");
    let folder = program.parent().expect("a program is in a folder");
    match folder.ends_with("deps") {
        true => folder.parent().expect("a test is in a target folder").to_owned(),
        false => folder.to_owned(),
    }
}

/// Every setup that can make a VM on this machine.
///
/// Says which ones are left out and why, so that a run without a hypervisor does not look
/// like one that tested something. Set `WRT_SETUP` to have only those whose name contains it,
/// such as `process with native` (a panic if there is none), and `WRT_WORKERS` to have all of them
/// in worker processes.
pub fn matrix() -> Vec<Setup> {
    let mut setups = Vec::new();
    let wanted = std::env::var("WRT_SETUP").unwrap_or_default();
    for found in available() {
        match found.problem {
            None => setups.extend(ENGINES.map(|engine| Setup { backend: found.backend, engine })),
            Some(problem) => skip(&format!("no {}: {problem}", device(found.backend))),
        }
    }
    setups.retain(|setup: &Setup| setup.to_string().contains(&wanted));
    // Who asks for one by its name does not want it left out.
    assert!(wanted.is_empty() || !setups.is_empty(), "WRT_SETUP: `{wanted}` does not work here");
    setups
}

/// Says that something is skipped, and why, on the standard error of the process: what a test
/// prints to its own is only shown when it fails.
pub fn skip(why: &str) {
    // Nobody is left to tell should this fail.
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

/// What has to be there for a backend to work.
fn device(backend: Backend) -> &'static str {
    match backend {
        Backend::Kvm => "/dev/kvm",
        other => other.name(),
    }
}

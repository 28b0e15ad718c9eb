//! A whole process that runs compiled code from a warm cache, against `wasmtime run` with its
//! own cache warm.
//!
//! `wasmtime run` is the released command of the same version, with its caching and parallel
//! compilation; in the measured runs neither side compiles.

use crate::build;
use crate::pairs::{Pairs, Target};
use crate::process::hello;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn run() -> bool {
    let programs = Programs { ours: build::wrt_vm(), floor: build::wasmtime() };
    let mut met = programs.compare("hello", &hello(), &[]);
    match build::cpython() {
        Some(path) => met &= programs.compare("cpython", &path, &["--version"]),
        None => println!("  skipped: no CPython for WASI (run tests/programs/foreign/fetch)"),
    }
    met
}

/// What the jail has to do with it.
pub(crate) fn jail() -> bool {
    let program = build::wrt_vm();
    let module = hello();
    let start = |option: &[&str]| {
        let mut command = native(&program);
        command.args(option).arg(&module);
        timed(command)
    };
    let pairs = Pairs::measure(61, || start(&[]), || start(&["--no-jail"]));
    pairs.print("hello", 1.0);
    true
}

/// `wrt-vm run`, without its module.
fn native(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["run", "--engine", "native"]);
    command
}

/// How long a program takes whose caches are those of this benchmark.
fn timed(mut command: Command) -> Duration {
    // Where both commands look for a user's cache folder.
    let caches = Path::new(env!("CARGO_TARGET_TMPDIR")).join("start-caches");
    command.env("XDG_CACHE_HOME", caches).stdin(Stdio::null());
    let started = Instant::now();
    let output = command.output().expect("the program starts");
    let time = started.elapsed();
    assert!(output.status.success(), "{command:?}: {output:?}");
    time
}

struct Programs {
    ours: PathBuf,
    floor: PathBuf,
}

impl Programs {
    fn compare(&self, name: &str, module: &Path, args: &[&str]) -> bool {
        let ours = || -> Duration {
            let mut command = native(&self.ours);
            command.arg(module).args(args);
            timed(command)
        };
        let floor = || -> Duration {
            let mut command = Command::new(&self.floor);
            command.arg("run").arg(module).args(args);
            timed(command)
        };
        // The turn that does not count fills the caches.
        let pairs = Pairs::measure(31, ours, floor);
        pairs.print(name, 1.0);
        Target::AtMost(1.5).judge(&format!("start {name}, ratio"), pairs.ratio())
    }
}

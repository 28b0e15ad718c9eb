//! Running the binary.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use wrt_vm::Backend;
use wrt_vm::hypervisor::available;

/// One backend with one engine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    backend: Backend,
    pub(crate) engine: &'static str,
}

const ENGINES: [&str; 2] = ["interp", "native"];

impl Setup {
    pub(crate) fn backend(self) -> Backend {
        self.backend
    }

    /// The options that choose it.
    pub(crate) fn options(self) -> [&'static str; 4] {
        ["--backend", self.backend.name(), "--engine", self.engine]
    }
}

/// Every setup that can run a program here.
pub(crate) fn setups() -> Vec<Setup> {
    let works = available().into_iter().filter(|entry| entry.problem.is_none());
    works.flat_map(|entry| ENGINES.map(|engine| Setup { backend: entry.backend, engine })).collect()
}

/// Whether VMs can be made here; says so when not. Tests that need one return then.
pub(crate) fn has_hypervisor() -> bool {
    let works = !setups().is_empty();
    if !works {
        skip("no /dev/kvm, and no child process instead");
    }
    works
}

/// Says that something is skipped, and why, on the standard error of the process: what a test
/// prints to its own is only shown when it fails.
pub(crate) fn skip(why: &str) {
    // Nobody is left to tell should this fail.
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

/// The command, with nothing to read, and with a code cache in the target folder.
pub(crate) fn wrt_vm() -> Command {
    wrt_vm_with_cache(Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/code-cache")))
}

/// The command, with nothing to read and a code cache of the test's own.
pub(crate) fn wrt_vm_with_cache(cache: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wrt-vm"));
    command.env("WRT_VM_CACHE_DIR", cache).stdin(Stdio::null());
    command
}

/// A folder for a code cache, empty.
pub(crate) fn code_cache() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Runs a script with a mount namespace of its own, if the system lets us.
pub(crate) fn in_mount_namespace(script: &str) -> Option<Output> {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--map-root-user", "sh", "-c", script]).stdin(Stdio::null());
    match unshare.output() {
        Ok(output) if !output.stderr.starts_with(b"unshare") => Some(output),
        other => {
            skip(&format!("no mount namespace here ({other:?})"));
            None
        }
    }
}

/// Whether the jail has all its parts on this system.
#[cfg(target_os = "linux")]
pub(crate) fn is_jail_complete() -> bool {
    let output = wrt_vm().args(["doctor", "--json"]).output().expect("the binary runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["backends"].as_array().is_some_and(|backends| {
        let jails: Vec<_> =
            backends.iter().filter_map(|backend| backend["jail"].as_str()).collect();
        !jails.is_empty() && jails.iter().all(|jail| jail.starts_with("complete"))
    })
}

/// A module in the text format, in a file of its own.
pub(crate) struct Wat {
    dir: tempfile::TempDir,
}

impl Wat {
    pub(crate) fn new(text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(dir.path().join("module.wat"), text).expect("a file in it");
        Self { dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("module.wat")
    }
}

/// What came of the same command line on every setup.
pub(crate) struct Ran(Vec<(String, Output)>);

impl Ran {
    /// Standard output, the same on every setup.
    #[track_caller]
    pub(crate) fn stdout(&self) -> String {
        self.agreed(stdout)
    }

    /// The exit code, the same on every setup.
    #[track_caller]
    pub(crate) fn code(&self) -> Option<i32> {
        self.agreed(|output| output.status.code())
    }

    #[track_caller]
    fn agreed<T: PartialEq + std::fmt::Debug>(&self, of: impl Fn(&Output) -> T) -> T {
        let mut all = self.0.iter().map(|(setup, output)| (setup, of(output), stderr(output)));
        let (_, first, _) = all.next().expect("it ran at least once");
        for (setup, other, said) in all {
            assert_eq!(first, other, "{setup}: {said}");
        }
        first
    }

    /// Asserts the exit code, and that standard error holds each of `parts`.
    #[track_caller]
    pub(crate) fn assert_fails(&self, code: i32, parts: &[&str]) {
        for (setup, output) in &self.0 {
            eprintln!("{setup}:");
            assert_fails(output, code, parts);
        }
    }

    /// What each setup printed to standard error, by its name.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(setup, output)| (setup.as_str(), stderr(output)))
    }
}

/// Runs `wrt-vm run` with `options`, then `module`, then `args`, on every setup.
pub(crate) fn run(options: &[&str], module: &Path, args: &[&str]) -> Ran {
    let mut chosen: Vec<Vec<&str>> = setups().iter().map(|s| s.options().to_vec()).collect();
    if chosen.is_empty() {
        // What goes wrong before a VM is needed does so without one.
        chosen.push(Vec::new());
    }
    Ran(chosen
        .into_iter()
        .map(|setup| {
            let mut command = wrt_vm();
            command.arg("run").args(&setup).args(options).arg(module).args(args);
            (setup.join(" "), command.output().expect("the binary runs"))
        })
        .collect())
}

/// Starts a module in the text format, with pipes for its standard streams.
pub(crate) fn start(setup: Setup, wat: &Wat) -> Child {
    let mut command = wrt_vm();
    command.arg("run").args(setup.options()).arg(wat.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Runs a module in the text format on every setup.
pub(crate) fn run_wat(options: &[&str], text: &str, args: &[&str]) -> Ran {
    let wat = Wat::new(text);
    run(options, &wat.path(), args)
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What was written to standard error, but for the line by which the command tells that it
/// has to do without a hypervisor: `backends.rs` tests that one.
pub(crate) fn stderr(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    match text.split_once('\n') {
        Some((line, rest)) if line.starts_with(NO_HYPERVISOR) => rest.to_owned(),
        _ => text.into_owned(),
    }
}

/// How that line begins.
pub(crate) const NO_HYPERVISOR: &str = "wrt-vm: note: no hypervisor (";

/// Asserts the exit code, and that standard error holds each of `parts`.
#[track_caller]
pub(crate) fn assert_fails(output: &Output, code: i32, parts: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "stderr: {text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// A program that prints its arguments, then its environment, a line each. Strings end at
/// the zero that WASI puts behind each.
pub(crate) const SHOW_WORLD: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $env (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; Turns the zeros of $len bytes at 4096 into line ends, and writes them.
  (func $print (param $len i32)
    (local $i i32)
    (block $end (loop $next
      (br_if $end (i32.ge_u (local.get $i) (local.get $len)))
      (if (i32.eqz (i32.load8_u (i32.add (i32.const 4096) (local.get $i))))
        (then (i32.store8 (i32.add (i32.const 4096) (local.get $i)) (i32.const 10))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (i32.store (i32.const 16) (i32.const 4096))
    (i32.store (i32.const 20) (local.get $len))
    (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24))))
  (func (export "_start")
    (drop (call $args_sizes (i32.const 0) (i32.const 4)))
    (drop (call $args (i32.const 1024) (i32.const 4096)))
    (call $print (i32.load (i32.const 4)))
    (drop (call $env_sizes (i32.const 0) (i32.const 4)))
    (drop (call $env (i32.const 1024) (i32.const 4096)))
    (call $print (i32.load (i32.const 4)))))"#;

/// A program that writes a line and then runs for ever.
pub(crate) const SPIN: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\09\00\00\00spinning\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
    (loop $for_ever (br $for_ever))))"#;

/// A program that writes each chunk that it reads, until the end of its input.
pub(crate) const CAT: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (local $errno i32)
        (loop $next
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (i32.store (i32.const 4) (i32.load (i32.const 8)))
            (if (i32.load (i32.const 8)) (then
                (local.set $errno (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
                (if (local.get $errno) (then (call $exit (local.get $errno))))
                (br $next))))))"#;

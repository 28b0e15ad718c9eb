//! Running the binary.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use wrt_vm::hypervisor::available;

/// Whether VMs can be made here; says so when not. Tests that need one return then.
pub(crate) fn has_hypervisor() -> bool {
    let works = available().iter().any(|entry| entry.problem.is_none());
    if !works {
        skip("no /dev/kvm");
    }
    works
}

/// Says that something is skipped, and why, on the standard error of the process: what a test
/// prints to its own is only shown when it fails.
pub(crate) fn skip(why: &str) {
    // Nobody is left to tell should this fail.
    let _ = std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes());
}

/// The command, with nothing to read.
pub(crate) fn wrt_vm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wrt-vm"));
    command.stdin(Stdio::null());
    command
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

/// Runs `wrt-vm run` with `options`, then `module`, then `args`.
pub(crate) fn run(options: &[&str], module: &Path, args: &[&str]) -> Output {
    let mut command = wrt_vm();
    command.arg("run").args(options).arg(module).args(args);
    command.output().expect("the binary runs")
}

/// Starts a module in the text format, with pipes for its standard streams.
pub(crate) fn start(wat: &Wat) -> Child {
    let mut command = wrt_vm();
    command.arg("run").arg(wat.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Runs a module in the text format.
pub(crate) fn run_wat(options: &[&str], text: &str, args: &[&str]) -> Output {
    let wat = Wat::new(text);
    run(options, &wat.path(), args)
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

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

//! Memory of processes that hold a VM each, while their programs wait for input.
//!
//! There is no floor to compare with: the figures are bytes. Private pages are those that no
//! other process shares; `Pss` counts a page shared by ten as a tenth for each
//! (proc_pid_smaps(5)).

use crate::build;
use crate::process::hello;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that says that it is there and then waits for its input.
const WAIT: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 64)))))"#;

/// What CPython is to do.
const WAIT_IN_PYTHON: &str = "import sys; print('hello', flush=True); sys.stdin.read()";

pub(crate) fn run() -> bool {
    let program = build::wrt_vm();
    let waiting = hello().with_file_name("wait.wasm");
    std::fs::write(&waiting, wat::parse_str(WAIT).expect("valid text")).expect("a file");
    for engine in ["interp", "native"] {
        report(&format!("{engine}, hello"), &program, engine, &waiting, &[], 1);
    }
    match build::cpython() {
        Some(path) => {
            let args = ["-c", WAIT_IN_PYTHON];
            report("native, cpython", &program, "native", &path, &args, 1);
            report("native, cpython", &program, "native", &path, &args, 10);
        }
        None => println!("  skipped: no CPython for WASI (run tests/programs/foreign/fetch)"),
    }
    true
}

fn report(name: &str, program: &Path, engine: &str, module: &Path, args: &[&str], count: usize) {
    // What is compiled for the first time leaves the compiler's pages behind.
    end(vec![wait(program, engine, module, args)]);
    let children: Vec<Child> = (0..count).map(|_| wait(program, engine, module, args)).collect();
    let figure = |word: &str| -> f64 {
        let kib: u64 = children.iter().map(|child| rollup(child.id(), word)).sum();
        kib as f64 / 1024.0 / count as f64
    };
    let (private, shared) = (figure("Private_"), figure("Pss:"));
    println!(
        "  {name:<16} {count:>2} at once: {private:.1} MiB private each, Pss {shared:.1} MiB each"
    );
    end(children);
}

/// Starts a program, and waits until it waits.
fn wait(program: &Path, engine: &str, module: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(program);
    command.args(["run", "--engine", engine]).arg(module).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a child");
    let mut line = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("it speaks");
    assert_eq!(line, "hello\n");
    child
}

fn end(children: Vec<Child>) {
    for mut child in children {
        drop(child.stdin.take());
        assert!(child.wait().is_ok_and(|status| status.success()), "a program failed");
    }
}

/// KiB in the lines of a process's memory summary that begin with `word`.
fn rollup(process: u32, word: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("a summary");
    let lines = text.lines().filter(|line| line.starts_with(word));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

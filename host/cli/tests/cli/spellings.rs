//! What users of other runtimes type: it runs, or the answer says what to type.

use crate::support::{SHOW_WORLD, Wat, assert_fails, has_hypervisor, stderr, stdout, wrt_vm};
use std::io::Write as _;
use std::process::{Output, Stdio};

fn said(args: &[&str]) -> Output {
    wrt_vm().args(args).output().expect("the binary runs")
}

#[test]
fn options_of_others_are_answered() {
    for (args, answer) in [
        (&["run", "--mapdir", "/::.", "a.wasm"][..], "--dir HOST::GUEST"),
        (&["run", "--wasm-timeout", "5", "a.wasm"], "--timeout 5s"),
        (&["run", "--wasm-timeout=5", "a.wasm"], "--timeout 5s"),
        (&["run", "--fuel", "1000", "a.wasm"], "--timeout 5s"),
        (&["run", "-W", "max-memory-size=1000", "a.wasm"], "--max-memory 64MiB"),
        (&["run", "-Wmax-memory-size=1000", "a.wasm"], "--max-memory 64MiB"),
        (&["run", "--wasm", "timeout=5s", "a.wasm"], "--timeout 5s"),
        (&["run", "-W", "all-proposals=y", "a.wasm"], "proposals need no option"),
        (&["run", "-S", "cli", "a.wasm"], "WASI needs no option"),
        (&["run", "-Sinherit-env=y", "a.wasm"], "--env NAME"),
        (&["run", "-S", "inherit-network", "a.wasm"], "no network"),
        (&["run", "-C", "cache=n", "a.wasm"], "--no-cache"),
        (&["run", "-O", "opt-level=2", "a.wasm"], "always optimized"),
        (&["run", "-D", "logging=y", "a.wasm"], "-v"),
        (&["run", "-g", "a.wasm"], "debugger"),
        (&["run", "--disable-cache", "a.wasm"], "--no-cache"),
        (&["run", "--allow-precompiled", "a.cwasm"], "leave it out"),
        (&["run", "--preload", "x=y.wasm", "a.wasm"], "link them beforehand"),
        (&["compile", "-O", "opt-level=2", "a.wasm"], "always optimized"),
        (&["serve", "a.wasm"], "serves no HTTP"),
        (&["wast", "a.wast"], "wrt-vm run MODULE"),
        (&["--dir", ".", "a.wasm"], "wrt-vm run --dir ... MODULE"),
        (&["-W", "fuel=5", "a.wasm"], "--timeout 5s"),
    ] {
        assert_fails(&said(args), 2, &["tip: ", answer]);
    }
}

#[test]
fn a_module_where_a_command_should_be_is_run() {
    // Whether there is a file or not, it can mean nothing else.
    for name in ["none.wasm", "none.wat", "none.cwasm", "./some.dir/none.wasm"] {
        assert_fails(&said(&[name]), 1, &[name, "No such file"]);
    }
    assert_fails(&said(&["none"]), 2, &["unrecognized subcommand"]);
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SHOW_WORLD);
    let path = wat.path();
    let output = wrt_vm().arg(&path).args(["--dir", "x"]).output().expect("the binary runs");
    assert_eq!(stdout(&output), "module.wat\n--dir\nx\n", "{}", stderr(&output));
    // Any file, but for the names of commands.
    let dir = path.parent().expect("a folder");
    let module = wat::parse_str(SHOW_WORLD).expect("a module");
    for name in ["program", "doctor"] {
        std::fs::write(dir.join(name), &module).expect("a file");
    }
    let here = |name: &str| {
        wrt_vm().current_dir(dir).args([name, "--version"]).output().expect("the binary runs")
    };
    assert_eq!(stdout(&here("program")), "program\n--version\n");
    assert!(stdout(&here("doctor")).starts_with("wrt-vm"));
}

#[test]
fn spellings_that_are_the_same_here() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SHOW_WORLD);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let preopen = format!("--dir={}::/data", dir.path().display());
    let mut command = wrt_vm();
    command.args(["run", "--env=A=1", "--env", "B=2", &preopen, "--argv0=me"]).arg(wat.path());
    let output = command.arg("x").output().expect("the binary runs");
    assert_eq!(stdout(&output), "me\nx\nA=1\nB=2\n", "{}", stderr(&output));
}

/// Runs a command with this input.
fn with_input(args: &[&str], input: &[u8]) -> Output {
    let mut command = wrt_vm();
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    // It may end before it has read everything.
    let _ = pipe.write_all(input);
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_text_may_come_from_standard_input() {
    let broken = with_input(&["run", "-"], b"(module (func");
    assert_fails(&broken, 1, &["not a WebAssembly module"]);
    let neither = with_input(&["run", "-"], b"#!/bin/sh\n");
    assert_fails(&neither, 1, &["not a WebAssembly module", "23 21"]);
    let empty = with_input(&["run", "-"], b"");
    assert_fails(&empty, 1, &["it is empty"]);
    if !has_hypervisor() {
        return;
    }
    let module = wat::parse_str(SHOW_WORLD).expect("a module");
    let comment = format!(";; a comment\n{SHOW_WORLD}");
    let block = format!(" \r\n\t(; a comment ;)\n{SHOW_WORLD}");
    let far = format!("{}{SHOW_WORLD}", "\n".repeat(100_000));
    let inputs = [SHOW_WORLD.as_bytes(), comment.as_bytes(), block.as_bytes(), far.as_bytes()];
    for input in inputs.into_iter().chain([module.as_slice()]) {
        let output = with_input(&["run", "-", "x"], input);
        assert_eq!(stdout(&output), "-\nx\n", "{}", stderr(&output));
    }
    // As a command's only word, too.
    let output = with_input(&["-"], SHOW_WORLD.as_bytes());
    assert_eq!(stdout(&output), "-\n", "{}", stderr(&output));
    let compiled = with_input(&["compile", "-", "-o", "-"], SHOW_WORLD.as_bytes());
    assert_eq!(compiled.status.code(), Some(0), "{}", stderr(&compiled));
    assert_eq!(stdout(&with_input(&["run", "-"], &compiled.stdout)), "-\n");
}

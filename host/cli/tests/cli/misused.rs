//! Words and files that people get wrong, and what they are told.

use crate::support::{SPIN, Wat, assert_fails, has_hypervisor, stderr, stdout, wrt_vm};
use serde_json::Value;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// What the command says of these words.
fn said(words: &[&str]) -> Output {
    wrt_vm().args(words).output().expect("the binary runs")
}

/// Runs a module in the text format.
fn ran(options: &[&str], text: &str) -> Output {
    let wat = Wat::new(text);
    wrt_vm().arg("run").args(options).arg(wat.path()).output().expect("the binary runs")
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let wat = Wat::new(SPIN);
    let path = wat.path();
    let module = path.to_str().unwrap();
    for (words, parts) in [
        (&["run", "--env", "=x", module][..], &["--env", "needs a name"][..]),
        (&["run", "--max-stack", "1", module], &["--max-stack", "64.0 KiB", "512.0 MiB"]),
        (&["run", "--max-stack", "1TiB", module], &["--max-stack"]),
        (&["run", "--timeout", "99999999999999999h", module], &["--timeout", "no time"]),
        (&["run", "--jobs", "2", "-", "-"], &["standard input"]),
    ] {
        let output = said(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", stderr(&output));
        for part in parts {
            assert!(stderr(&output).contains(part), "{words:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_cache_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a/b");
    for action in ["list", "size", "clear"] {
        // The option goes before the command and behind it.
        let option = ["--cache-dir", cache.to_str().unwrap()];
        for words in [[&["cache"][..], &option, &[action]], [&["cache"], &[action], &option]] {
            let output = said(&words.concat());
            assert_eq!(output.status.code(), Some(0), "{words:?}: {}", stderr(&output));
            assert!(stdout(&output).contains('0'), "{words:?}: {}", stdout(&output));
        }
    }
    let output = said(&["cache", "--cache-dir", cache.to_str().unwrap(), "rm", "x"]);
    assert_fails(&output, 1, &["there is no code cache", "a/b"]);
    assert!(!folder.path().join("a").exists());
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let wat = Wat::new(SPIN);
    let path = wat.path();
    let module = path.to_str().unwrap();
    for output in [folder.path().join("none/x.cwasm"), folder.path().to_owned()] {
        let named = output.to_str().unwrap();
        let output = said(&["compile", module, "-v", "-o", named]);
        assert_fails(&output, 1, &["cannot write", named]);
        let said = stderr(&output);
        assert!(!said.contains("made a VM"), "{said}");
    }
    let missing = folder.path().join("missing.wasm");
    let output = said(&["compile", missing.to_str().unwrap()]);
    assert_eq!(stderr(&output).matches("missing.wasm").count(), 1, "{}", stderr(&output));
}

#[test]
fn a_module_that_does_not_come_is_not_waited_for_longer() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.wasm");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("every system has it");
    assert!(made.success());
    let (name, out) = (pipe.to_str().unwrap(), folder.path().join("out.cwasm"));
    for (words, code) in [
        (&["run", "--timeout", "300ms", name][..], 124),
        (&["compile", "--timeout", "300ms", "-o", out.to_str().unwrap(), name], 1),
    ] {
        let begun = Instant::now();
        let output = said(words);
        assert_fails(&output, code, &["timed out"]);
        // The grace of a program that runs is two seconds: here is none.
        assert!(begun.elapsed() < Duration::from_secs(30), "{words:?}");
    }
    assert!(!out.exists());
}

#[test]
fn a_result_goes_to_standard_output() {
    if !has_hypervisor() {
        return;
    }
    let output = ran(&["--result", "json:-"], r#"(module (func (export "_start")))"#);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["ended"], "returned");
}

#[test]
fn what_the_interpreter_cannot_take_is_said_with_a_way_out() {
    if !has_hypervisor() {
        return;
    }
    // More locals than it has registers.
    let locals = "(local i64)".repeat(40_000);
    let text =
        format!(r#"(module (func (export "_start") {locals} (local.set 39999 (i64.const 1))))"#);
    let output = ran(&["--engine", "interp"], &text);
    assert_fails(&output, 1, &["module.wat", "the interpreter cannot run", "--engine native"]);
    let output = ran(&["--engine", "native"], &text);
    assert_eq!(
        (output.status.code(), stdout(&output).as_str()),
        (Some(0), ""),
        "{}",
        stderr(&output)
    );
}

#[test]
fn compiling_counts_and_is_said_to() {
    if !has_hypervisor() {
        return;
    }
    // Much to compile, and a moment for it.
    let body =
        "(local.set 0 (i64.mul (i64.add (local.get 0) (i64.const 3)) (local.get 0)))".repeat(200);
    let functions = format!("(func (param i64) (result i64) {body} (local.get 0))").repeat(300);
    let text = format!(r#"(module {functions} (func (export "_start")))"#);
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("large.wasm");
    std::fs::write(&module, wat::parse_str(text).unwrap()).unwrap();
    let options = ["run", "--no-cache", "--engine", "native", "--timeout", "50ms"];
    let output = wrt_vm().args(options).arg(module).output().expect("the binary runs");
    assert_fails(&output, 124, &["timed out after 50 ms while", "compiled", "wrt-vm compile"]);
}

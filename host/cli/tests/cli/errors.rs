//! Every error that a user can run into: what it says, and its exit code.

use crate::support::{Ran, has_hypervisor, run, run_wat, wrt_vm};
use std::path::Path;

const EMPTY: &str = "(module (func (export \"_start\")))";

fn run_bytes(bytes: &[u8]) -> Ran {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("module.wasm");
    std::fs::write(&path, bytes).expect("a file in it");
    run(&[], &path, &[])
}

#[test]
fn no_such_file() {
    let output = run(&[], Path::new("/nowhere/module.wasm"), &[]);
    output.assert_fails(1, &["cannot read /nowhere/module.wasm", "No such file"]);
}

#[test]
fn a_directory_instead_of_a_module() {
    run(&[], Path::new("/"), &[]).assert_fails(1, &["cannot read /"]);
}

#[test]
fn not_wasm() {
    run_bytes(b"\x7fELF....").assert_fails(1, &["not a WebAssembly module", "7f 45 4c 46"]);
    run_bytes(b"").assert_fails(1, &["not a WebAssembly module", "empty"]);
    run_bytes(b"\0as").assert_fails(1, &["not a WebAssembly module"]);
}

#[test]
fn truncated() {
    if !has_hypervisor() {
        return;
    }
    let whole = wat::parse_str(crate::support::SHOW_WORLD).expect("valid text");
    let output = run_bytes(&whole[..whole.len() / 2]);
    output.assert_fails(1, &["invalid module at offset 0x", "unexpected end"]);
}

#[test]
fn invalid_with_offset_and_reason() {
    if !has_hypervisor() {
        return;
    }
    // A function that returns nothing where its type wants an i32.
    let text = "(module (func (export \"_start\") (result i32)))";
    let output = run_wat(&[], text, &[]);
    output.assert_fails(1, &["invalid module at offset 0x", "type mismatch"]);
}

#[test]
fn text_that_does_not_assemble() {
    run_wat(&[], "(module (func $f (unknown)))", &[]).assert_fails(1, &["unknown"]);
}

#[test]
fn a_missing_import_is_named() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (import "env" "magic" (func)) (func (export "_start")))"#;
    run_wat(&[], text, &[]).assert_fails(1, &["`env`", "`magic`", "nothing defines it"]);
}

#[test]
fn an_import_of_another_type_is_named() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64)))
        (func (export "_start")))"#;
    run_wat(&[], text, &[]).assert_fails(1, &["`fd_close`", "type"]);
}

#[test]
fn less_memory_than_the_module_needs() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (memory 32) (func (export "_start")))"#;
    let output = run_wat(&["--max-memory", "64KiB"], text, &[]);
    output.assert_fails(1, &["2.0 MiB", "64.0 KiB", "--max-memory"]);
}

#[test]
fn a_missing_directory() {
    let output = run_wat(&["--dir", "/nowhere"], EMPTY, &[]);
    output.assert_fails(1, &["/nowhere", "No such file"]);
}

#[test]
fn a_missing_export() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (func (export "one")) (func (export "two")) (memory (export "mem") 1))"#;
    let missing = run_wat(&["--invoke", "three"], text, &[]);
    missing.assert_fails(1, &["no function named `three`", "one, two"]);
    let memory = run_wat(&["--invoke", "mem"], text, &[]);
    memory.assert_fails(1, &["`mem` is a memory, not a function"]);
    let program = run_wat(&[], text, &[]);
    program.assert_fails(1, &["no function `_start`", "--invoke", "one, two"]);
}

#[test]
fn values_of_another_type() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module (func (export "f") (param i32 f64)))"#;
    let few = run_wat(&["--invoke", "f"], text, &["1"]);
    few.assert_fails(1, &["takes 2 values (i32, f64), and 1 were given"]);
    let wrong = run_wat(&["--invoke", "f"], text, &["1", "word"]);
    wrong.assert_fails(1, &["`word` is no f64"]);
}

#[test]
fn a_trap_has_its_kind_and_a_backtrace() {
    if !has_hypervisor() {
        return;
    }
    let text = r#"(module
        (func $inner (drop (i32.div_u (i32.const 1) (i32.const 0))))
        (func $outer (call $inner))
        (func (export "_start") (call $outer)))"#;
    let output = run_wat(&[], text, &[]);
    output.assert_fails(134, &["integer divide by zero", " inner\n", " outer"]);
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        &["run"][..],
        &["run", "--timeout", "soon", "x.wasm"],
        &["run", "--max-memory", "much", "x.wasm"],
        &["run", "--backend", "magic", "x.wasm"],
        &["run", "--engine", "magic", "x.wasm"],
        &["run", "--dir", "::", "x.wasm"],
        &["fly"],
        &[],
    ] {
        let output = wrt_vm().args(args).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
}

//! `wrt-vm compile`, and running what it writes.

use crate::engines::program;
use crate::support::{Wat, assert_fails, has_hypervisor, setups, stderr, stdout, wrt_vm};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

fn compile(args: &[&str], module: &Path) -> Output {
    wrt_vm().arg("compile").args(args).arg(module).output().expect("the binary runs")
}

#[track_caller]
fn prints_hello(module: &Path) {
    let output = wrt_vm().args(["run", "--stats"]).arg(module).output().expect("the binary runs");
    assert_eq!(stdout(&output), "hello\n", "{}", stderr(&output));
    assert!(stderr(&output).contains("the module is compiled code"), "{}", stderr(&output));
}

#[test]
fn what_it_writes_runs() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(&program(0));
    // Beside the module unless told otherwise.
    let output = compile(&[], &wat.path());
    assert!(output.status.success() && output.stdout.is_empty(), "{}", stderr(&output));
    prints_hello(&wat.path().with_extension("cwasm"));

    let named = wat.path().with_file_name("other name");
    let output = compile(&["-o", named.to_str().expect("a plain name")], &wat.path());
    assert!(output.status.success(), "{}", stderr(&output));
    prints_hello(&named);
    // For any machine of this kind.
    let output = compile(&["--target", std::env::consts::ARCH], &wat.path());
    assert!(output.status.success(), "{}", stderr(&output));
    prints_hello(&wat.path().with_extension("cwasm"));
}

#[test]
fn from_and_to_pipes() {
    if !has_hypervisor() {
        return;
    }
    let module = wat::parse_str(program(0)).expect("valid text");
    let mut command = wrt_vm();
    command.args(["compile", "-", "-o", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(&module).expect("it reads");
    let compiled = child.wait_with_output().expect("it ends");
    assert!(compiled.status.success());
    let mut command = wrt_vm();
    command.args(["run", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    child.stdin.take().expect("a pipe").write_all(&compiled.stdout).expect("it reads");
    assert_eq!(stdout(&child.wait_with_output().expect("it ends")), "hello\n");

    let mut command = wrt_vm();
    let output = command.args(["compile", "-"]).output().expect("the binary runs");
    assert_fails(&output, 1, &["-o"]);
}

#[test]
fn code_for_another_architecture_says_so() {
    if !has_hypervisor() {
        return;
    }
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    let wat = Wat::new(&program(0));
    let output = compile(&["--target", other], &wat.path());
    assert!(output.status.success(), "{}", stderr(&output));
    let module = wat.path().with_extension("cwasm");
    let output = wrt_vm().arg("run").arg(&module).output().expect("the binary runs");
    assert_fails(&output, 1, &[other, std::env::consts::ARCH, "compile it again"]);
}

#[test]
fn the_interpreter_does_not_take_it() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(&program(0));
    assert!(compile(&[], &wat.path()).status.success());
    let mut command = wrt_vm();
    command.args(["run", "--engine", "interp"]).arg(wat.path().with_extension("cwasm"));
    let output = command.output().expect("the binary runs");
    assert_fails(&output, 1, &["compiled code", "interpreter"]);
}

#[test]
fn damaged_code_never_harms_the_host() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(&program(0));
    assert!(compile(&[], &wat.path()).status.success());
    let path = wat.path().with_extension("cwasm");
    let good = fs::read(&path).expect("it wrote a file");
    let mut truncated = good.clone();
    truncated.truncate(good.len() - 100);
    let mut flipped = good.clone();
    flipped[0x5000] ^= 1;
    let mut versioned = good.clone();
    versioned[8] += 1;
    for (bytes, word) in [
        (&good[..40], "cut off"),
        (&truncated, "holds"),
        (&flipped, "damaged"),
        (&versioned, "version"),
    ] {
        fs::write(&path, bytes).expect("a file");
        let output = wrt_vm().arg("run").arg(&path).output().expect("the binary runs");
        assert_fails(&output, 1, &[word, "module.cwasm"]);
    }
}

#[test]
fn a_module_that_cannot_be_compiled_leaves_nothing() {
    if !has_hypervisor() {
        return;
    }
    let invalid = Wat::new("(module (func (result i32)))");
    let output = compile(&[], &invalid.path());
    assert_fails(&output, 1, &["module.wat", "invalid module at offset 0x", "type mismatch"]);
    assert!(!invalid.path().with_extension("cwasm").exists());

    let wat = Wat::new(&program(0));
    assert_fails(&compile(&["--timeout", "1ms"], &wat.path()), 1, &["longer than 1 ms"]);
    assert!(!wat.path().with_extension("cwasm").exists());

    assert!(compile(&[], &wat.path()).status.success());
    let compiled = wat.path().with_extension("cwasm");
    assert_fails(&compile(&["-o", "x"], &compiled), 1, &["compiled already"]);
    assert_fails(&compile(&["-o", "/nowhere/x"], &wat.path()), 1, &["/nowhere/x", "No such file"]);
}

#[test]
fn wrong_usage_is_2() {
    for args in [&["compile"][..], &["compile", "--target", "z80", "x.wasm"], &["cache", "eat"]] {
        let output = wrt_vm().args(args).output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
    assert_fails(&compile(&[], Path::new("/nowhere.wasm")), 1, &["/nowhere.wasm", "No such file"]);
}

/// Both engines take the same modules and refuse the same ones.
#[test]
fn engines_agree_on_what_is_invalid() {
    let invalid = Wat::new("(module (memory 1) (func (i32.load) (drop)))");
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg(invalid.path());
        let output = command.output().expect("the binary runs");
        assert_fails(&output, 1, &["invalid module at offset 0x", "type mismatch"]);
    }
}

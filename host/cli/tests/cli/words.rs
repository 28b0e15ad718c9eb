//! What the command says: each thing once, in words, and without anything that a terminal obeys.

use crate::support::{Wat, assert_fails, has_hypervisor, setups, stderr, stdout, wrt_vm};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// Part of a name, an argument, a text: orders to a terminal, a line of its own, right to left.
const NASTY: &str = "x\x1b[31m\x1b]0;t\x07\r\nwrt-vm: y\u{9b}\u{202e}\u{2028}\u{7f}z";

fn run(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

/// Asserts that neither stream has more than text and line ends, and no line that a name made up.
#[track_caller]
fn assert_harmless(output: &Output, what: &str) {
    assert_eq!(output.status.signal(), None, "{what}");
    for text in [stdout(output), stderr(output)] {
        let obeyed = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}')
        };
        assert!(!text.contains(obeyed), "{what}: {text:?}");
        assert!(!text.contains("\nwrt-vm: y"), "{what}: {text:?}");
    }
}

#[test]
fn no_word_of_the_command_line_reaches_the_terminal_as_it_is() {
    let wat = Wat::new(r#"(module (func (export "f") (param i32)) (func (export "_start")))"#);
    let module = wat.path();
    let missing = format!("{NASTY}.wasm");
    let nowhere = format!("/nowhere/{NASTY}");
    let as_text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let module = as_text(&module);
    let cases: Vec<(i32, Vec<&str>)> = vec![
        (1, vec!["run", &missing]),
        (1, vec!["run", "--jobs", "2", "--stats", &missing, &missing]),
        (1, vec!["run", "--trace", &nowhere, &module]),
        (1, vec!["run", "--dir", &nowhere, &module]),
        (2, vec!["run", "--env", "=\x1b[31m", &module]),
        (1, vec!["compile", &missing]),
        (1, vec!["compile", &module, "-o", &nowhere]),
        (1, vec!["selftest", "--trace", &nowhere]),
        (2, vec!["run", "--timeout", NASTY, &module]),
        (2, vec!["run", "--max-memory", NASTY, &module]),
        (2, vec!["run", "--backend", NASTY, &module]),
        (2, vec!["run", "--\x1b[31m", &module]),
        (2, vec!["run", "--jobs", "2", "a.wasm", "-\x1b[31m"]),
        (2, vec!["\x1b[31m"]),
        (2, vec!["cache", NASTY]),
    ];
    for (code, args) in cases {
        let output = run(wrt_vm().args(&args));
        assert_harmless(&output, &format!("{args:?}"));
        // Some need a hypervisor to get as far.
        assert!(matches!(output.status.code(), Some(it) if it == code), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty(), "{args:?}");
    }
    if !has_hypervisor() {
        return;
    }
    for args in
        [vec!["run", "--invoke", NASTY, &module], vec!["run", "--invoke", "f", &module, NASTY]]
    {
        let output = run(wrt_vm().args(&args));
        assert_harmless(&output, &format!("{args:?}"));
        assert_fails(&output, 1, &[r"x\u{1b}[31m"]);
    }
}

#[test]
fn names_of_files_that_exist_are_escaped_too() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wat = dir.path().join(format!("{NASTY}.wat"));
    std::fs::write(&wat, "(module (func (export \"_start\") unreachable))").expect("a file");
    let cache = dir.path().join(format!("{NASTY} cache"));
    for action in ["list", "clear"] {
        let output = run(wrt_vm().env("WRT_VM_CACHE_DIR", &cache).args(["cache", action]));
        assert_harmless(&output, action);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    for setup in setups() {
        let trace = dir.path().join(format!("{NASTY}.json"));
        let mut command = wrt_vm();
        command.env("WRT_VM_CACHE_DIR", &cache).arg("run").args(setup.options());
        let output = run(command.args(["-vv", "--stats", "--trace"]).args([&trace, &wat]));
        assert_harmless(&output, &format!("{setup:?}"));
        assert_fails(&output, 134, &["unreachable"]);
        let written = std::fs::read_to_string(&trace).expect("a trace");
        assert!(!written.contains('\x1b') && !written.contains('\u{202e}'), "{setup:?}");
    }
}

/// The assembler quotes the line that it does not understand.
#[test]
fn lines_of_a_text_are_quoted_without_their_orders() {
    let wat = Wat::new("(module (func (export \"_start\") \u{1b}]0;t\u{7}\u{202e} nop))");
    for command in ["run", "compile"] {
        let output = run(wrt_vm().arg(command).arg(wat.path()));
        assert_harmless(&output, command);
        assert_fails(&output, 1, &["not a WebAssembly module"]);
    }
}

#[test]
fn no_cause_is_told_twice() {
    let wat = Wat::new(r#"(module (func (export "_start")))"#);
    let module = wat.path();
    let module = module.to_str().expect("a path in UTF-8");
    for args in [
        &["run", "/nowhere.wasm"][..],
        &["run", "/nowhere.wat"],
        &["run", "--dir", "/nowhere", module],
        &["run", "--trace", "/nowhere/trace", module],
        &["run", "--jobs", "2", "/nowhere.wasm"],
        &["compile", "/nowhere.wasm"],
        &["compile", module, "-o", "/nowhere/module"],
        &["selftest", "--trace", "/nowhere/trace"],
    ] {
        let output = run(wrt_vm().args(args));
        let said = stderr(&output);
        let times = said.matches("No such file").count();
        // What is compiled needs a VM before it is written.
        assert!(times == 1 || times == 0 && !has_hypervisor(), "{args:?}: {said}");
    }
}

#[test]
fn quiet_leaves_out_notes_and_keeps_errors() {
    if !has_hypervisor() {
        return;
    }
    let fine = Wat::new(r#"(module (func (export "_start")))"#);
    let traps = Wat::new(r#"(module (func (export "_start") unreachable))"#);
    for setup in setups() {
        let run = |options: &[&str], wat: &Wat| {
            let mut command = wrt_vm();
            command.arg("run").args(setup.options()).args(options).arg(wat.path());
            run(&mut command)
        };
        assert!(
            stderr(&run(&["--no-jail"], &fine)).contains("wrt-vm: note: --no-jail"),
            "{setup:?}"
        );
        let quiet = run(&["--no-jail", "--quiet"], &fine);
        assert_eq!((quiet.status.code(), stderr(&quiet).as_str()), (Some(0), ""), "{setup:?}");
        let quiet = run(&["--no-jail", "-q"], &traps);
        assert_fails(&quiet, 134, &["unreachable"]);
        assert!(!stderr(&quiet).contains("note:"), "{setup:?}");
    }
}

//! `--batch`: several programs with a world each.

use crate::support::{
    CAT, SHOW_WORLD, SPIN, Setup, assert_fails, has_hypervisor, setups, stderr, stdout, wrt_vm,
};
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in [("world.wat", SHOW_WORLD), ("cat.wat", CAT), ("spin.wat", SPIN)] {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    dir
}

/// Runs the lines, which a file has, one program after the other.
fn run(dir: &Path, setup: Option<Setup>, options: &[&str], lines: &str) -> Output {
    std::fs::write(dir.join("batch.jsonl"), lines).expect("a file");
    let mut command = wrt_vm();
    command.current_dir(dir).arg("run");
    if let Some(setup) = setup {
        command.args(setup.options());
    }
    command.args(["--jobs", "1", "--batch", "batch.jsonl"]).args(options);
    command.output().expect("the binary runs")
}

#[test]
fn each_program_has_a_world_of_its_own() {
    if !has_hypervisor() {
        return;
    }
    let dir = folder();
    std::fs::write(dir.path().join("input"), "from a file\n").expect("a file");
    let lines = r#"{"module": "world.wat", "args": ["a b", "--stats"], "env": {"B": "2"}}

{"module": "cat.wat", "stdin": "first\n"}
{"module": "world.wat", "argv0": "me"}
{"module": "cat.wat", "stdin_file": "input"}
{"module": "cat.wat"}
"#;
    for setup in setups() {
        let output = run(dir.path(), Some(setup), &["--env", "A=1"], lines);
        assert_eq!(output.status.code(), Some(0), "{setup:?}: {}", stderr(&output));
        let expected = "world.wat\na b\n--stats\nA=1\nB=2\nfirst\nme\nA=1\nfrom a file\n";
        assert_eq!(stdout(&output), expected, "{setup:?}");
    }
}

#[test]
fn limits_of_a_line_go_before_those_of_all() {
    if !has_hypervisor() {
        return;
    }
    let dir = folder();
    let grow = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start")
            (call $exit (i32.add (i32.const 2) (memory.grow (i32.const 100))))))"#;
    std::fs::write(dir.path().join("grow.wat"), grow).expect("a file");
    for setup in setups() {
        let lines = r#"{"module": "spin.wat", "timeout": "1500ms"}
{"module": "grow.wat", "max_memory": "1MiB"}
{"module": "grow.wat"}"#;
        let output = run(dir.path(), Some(setup), &["--timeout", "1h", "--stats"], lines);
        assert_fails(&output, 124, &["spin.wat: timed out after 1500 ms"]);
        let codes: Vec<String> = stderr(&output)
            .lines()
            .filter_map(|line| line.split_once(": exit code ").map(|(_, code)| code.to_owned()))
            .collect();
        assert_eq!(codes, ["124", "1", "3"], "{setup:?}");
    }
}

/// A directory is opened to the program whose line names it.
#[test]
fn directories_are_each_programs_own() {
    if !has_hypervisor() {
        return;
    }
    let dir = folder();
    std::fs::create_dir(dir.path().join("data")).expect("a folder");
    // The first descriptor after the standard streams, if there is one.
    let preopened = r#"(module
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $get (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (call $get (i32.const 3) (i32.const 0)))))"#;
    std::fs::write(dir.path().join("preopened.wat"), preopened).expect("a file");
    let lines = r#"{"module": "preopened.wat", "dir": ["data::/data,ro"]}
{"module": "preopened.wat"}"#;
    for setup in setups() {
        let output = run(dir.path(), Some(setup), &["--stats"], lines);
        let said = stderr(&output);
        assert!(said.contains("preopened.wat: exit code 0"), "{setup:?}: {said}");
        // EBADF.
        assert_fails(&output, 8, &[]);
    }
}

#[test]
fn a_batch_may_come_from_standard_input() {
    if !has_hypervisor() {
        return;
    }
    let dir = folder();
    let mut command = wrt_vm();
    command.current_dir(dir.path()).args(["run", "--jobs", "2", "--batch", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(b"{\"module\": \"cat.wat\", \"stdin\": \"hello\"}").expect("it reads");
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "hello"));
}

#[test]
fn nothing_runs_when_a_line_is_wrong() {
    let dir = folder();
    let good = r#"{"module": "cat.wat", "stdin": "it ran"}"#;
    for (line, parts) in [
        (r#"{"module": "cat.wat", "argv": []}"#, &["batch.jsonl:2", "unknown field `argv`"][..]),
        (r#"{"module": 1}"#, &["batch.jsonl:2", "expected a string"]),
        (r#"{"module": "cat.wat""#, &["batch.jsonl:2", "EOF"]),
        (r#"{"module": "-"}"#, &["batch.jsonl:2", "standard input"]),
        (r#"{"module": "a", "stdin_file": "none"}"#, &["batch.jsonl:2", "none", "No such file"]),
        ("{\"module\": \"a\", \"\u{202e}\": 1}", &["batch.jsonl:2", r"\u{202e}"]),
    ] {
        let output = run(dir.path(), None, &[], &format!("{good}\n{line}\n"));
        assert_fails(&output, 1, parts);
        assert_eq!(stdout(&output), "");
    }
    assert_fails(&run(dir.path(), None, &[], "\n"), 1, &["no program in it", "\"module\""]);
    let usage = |args: &[&str], part: &str| {
        let output = wrt_vm().arg("run").args(args).output().expect("the binary runs");
        assert_fails(&output, 2, &[part]);
    };
    usage(&["--batch", "batch.jsonl"], "--jobs");
    usage(&["--jobs", "2", "--batch", "batch.jsonl", "a.wasm"], "cannot be used with");
    assert_fails(
        &wrt_vm().args(["run", "--jobs", "2", "--batch", "/none"]).output().expect("it runs"),
        1,
        &["/none", "No such file"],
    );
}

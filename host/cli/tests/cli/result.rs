//! `--result json`: how a program ended, for programs.

use crate::support::{SPIN, Wat, has_hypervisor, setups, stderr, wrt_vm};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::AsRawFd as _;
use std::process::Stdio;

const EXITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const 7))))"#;
/// Is refused memory, and does not mind.
const GROWS: &str = r#"(module (memory 1)
    (func (export "_start") (drop (memory.grow (i32.const 1000)))))"#;
const TRAPS: &str = r#"(module
    (func $inner (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "_start") (call $inner)))"#;

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

/// The last line of standard error.
#[track_caller]
fn last(text: &str) -> Value {
    object(text.lines().last().unwrap_or_default())
}

#[test]
fn each_way_to_end_has_its_words() {
    if !has_hypervisor() {
        return;
    }
    for setup in setups() {
        let run = |options: &[&str], text: &str| {
            let wat = Wat::new(text);
            let mut command = wrt_vm();
            command.arg("run").args(setup.options()).args(["--result", "json"]).args(options);
            let output = command.arg(wat.path()).output().expect("the binary runs");
            let result = last(&stderr(&output));
            assert_eq!(result["exit_code"], output.status.code().unwrap_or(-1), "{setup:?}");
            assert!(result["module"].as_str().is_some_and(|name| name.ends_with("module.wat")));
            result
        };
        let returned = run(&[], r#"(module (func (export "_start")))"#);
        assert_eq!(returned["ended"], "returned", "{setup:?}");
        assert_eq!((&returned["error"], &returned["trap"]), (&Value::Null, &Value::Null));
        assert_eq!(returned["engine"], setup.engine);
        assert_eq!(returned["backend"], setup.options()[1]);
        assert!(returned["usage"]["exits"]["total"].as_u64().is_some_and(|exits| exits > 0));
        assert!(returned["usage"]["guest_peak_bytes"].as_u64().is_some_and(|peak| peak > 0));
        assert!(returned["seconds"]["run"].as_f64().is_some_and(|time| time > 0.0));

        let exited = run(&[], EXITS);
        assert_eq!((&exited["ended"], &exited["program_code"]), (&"exited".into(), &7.into()));

        let trapped = run(&[], TRAPS);
        assert_eq!(
            (&trapped["ended"], &trapped["error"]["kind"]),
            (&"trapped".into(), &"trap".into())
        );
        assert_eq!(trapped["trap"]["kind"], "integer-division-by-zero");
        assert_eq!(trapped["trap"]["backtrace"][0]["name"], "inner");

        let late = run(&["--timeout", "1500ms"], SPIN);
        assert_eq!(
            (&late["ended"], &late["limits"]["timeout_seconds"]),
            (&"timed-out".into(), &1.5.into())
        );
        assert_eq!(late["limits"]["timeout_reached"], true);

        let large =
            run(&["--max-memory", "1MiB"], r#"(module (memory 100) (func (export "_start")))"#);
        assert_eq!(
            (&large["ended"], &large["error"]["kind"]),
            (&"failed".into(), &"memory-limit".into())
        );
        assert_eq!(large["limits"]["max_memory_bytes"], 1 << 20);

        let no_memory =
            |text| run(&["--max-memory", "1MiB"], text)["limits"]["memory_refused"].clone();
        assert_eq!(no_memory(GROWS), true, "{setup:?}");
        assert_eq!(no_memory(r#"(module (memory 1) (func (export "_start")))"#), false);

        let much = run(&["--max-output", "4"], SPIN);
        assert_eq!((&much["ended"], &much["exit_code"]), (&"output-limit".into(), &153.into()));
        assert_eq!(much["limits"]["output_reached"], true);
        assert_eq!(much["limits"]["max_output_bytes"], 4);
        assert_eq!(returned["limits"]["output_reached"], false);
    }
}

#[test]
fn one_that_a_signal_ends_was_cancelled() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SPIN);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--result", "json"]).arg(wat.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it writes");
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::TERM).expect("it is there");
        let result = last(&stderr(&child.wait_with_output().expect("it ends")));
        assert_eq!((&result["ended"], &result["exit_code"]), (&"cancelled".into(), &143.into()));
        assert_eq!(result["error"]["kind"], "cancelled", "{setup:?}");
    }
}

/// Also when nothing ran.
#[test]
fn a_module_that_is_none_has_a_result() {
    let output = wrt_vm().args(["run", "--result", "json", "/nowhere.wasm"]).output();
    let result = last(&stderr(&output.expect("the binary runs")));
    assert_eq!((&result["ended"], &result["error"]["kind"]), (&"failed".into(), &"read".into()));
    assert_eq!(result["usage"], Value::Null);
}

#[test]
fn a_file_has_the_object_and_nothing_else() {
    if !has_hypervisor() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let wat = Wat::new(EXITS);
    for setup in setups() {
        let file = dir.path().join("result.json");
        std::fs::write(&file, "what was there before, and is longer than any result can be")
            .expect("a file");
        let mut command = wrt_vm();
        command.arg("run").args(setup.options());
        command.arg("--result").arg(format!("json:{}", file.display())).arg(wat.path());
        let output = command.output().expect("the binary runs");
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(7), ""), "{setup:?}");
        let written = std::fs::read_to_string(&file).expect("a result");
        assert_eq!(object(&written)["program_code"], 7, "{setup:?}");
        assert_eq!(written.matches('\n').count(), 1, "{setup:?}");
    }
}

/// As a tool of an agent calls it: `subprocess.run(..., pass_fds=[fd])`.
#[test]
fn a_descriptor_may_be_named() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(EXITS);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("result");
    let file = File::create(&path).expect("a file");
    // Inherited by what is started now.
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).expect("a flag");
    let mut command = wrt_vm();
    command.args(["run", "--result", &format!("json:/dev/fd/{}", file.as_raw_fd())]);
    let output = command.arg(wat.path()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let written = std::fs::read_to_string(&path).expect("a result");
    assert_eq!(object(&written)["ended"], "exited");
}

#[test]
fn of_several_programs_each_has_one() {
    if !has_hypervisor() {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in [("exits.wat", EXITS), ("traps.wat", TRAPS)] {
        std::fs::write(dir.path().join(name), text).expect("a file");
    }
    for setup in setups() {
        let mut command = wrt_vm();
        command.current_dir(dir.path()).arg("run").args(setup.options());
        command.args(["--jobs", "2", "--result", "json:results.jsonl"]);
        let output = command.args(["exits.wat", "traps.wat", "none.wat"]).output();
        assert_eq!(output.expect("the binary runs").status.code(), Some(7), "{setup:?}");
        let written = std::fs::read_to_string(dir.path().join("results.jsonl")).expect("results");
        let mut results: Vec<Value> = written.lines().map(object).collect();
        results.sort_by_key(|result| result["index"].as_u64());
        let ended: Vec<_> = results.iter().map(|result| &result["ended"]).collect();
        assert_eq!(ended, ["exited", "trapped", "failed"], "{setup:?}");
        assert_eq!(results[1]["module"], "traps.wat");
        assert_eq!(results[1]["exit_code"], 134);
        assert_eq!(results[2]["error"]["kind"], "read");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_before_anything_runs() {
    let wat = Wat::new(SPIN);
    let output =
        wrt_vm().args(["run", "--result", "json:/nowhere/result"]).arg(wat.path()).output();
    let output = output.expect("the binary runs");
    crate::support::assert_fails(&output, 1, &["/nowhere/result", "No such file"]);
    for wrong in ["xml", "json:", ""] {
        let output = wrt_vm().args(["run", "--result", wrong]).arg(wat.path()).output();
        crate::support::assert_fails(&output.expect("the binary runs"), 2, &["json"]);
    }
}

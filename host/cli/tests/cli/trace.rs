//! `--trace`: a file in Chrome's trace format.

use crate::support::{
    SHOW_WORLD, SPIN, Wat, assert_fails, run, run_wat, setups, skip, stdout, wrt_vm,
};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

/// Records of a trace: their phases and names.
fn records(path: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(path).expect("the trace");
    let records: Vec<Value> = serde_json::from_str(&text).expect("a whole file is JSON");
    let part = |record: &Value, key: &str| record[key].as_str().unwrap_or_default().to_owned();
    records.iter().map(|record| (part(record, "ph"), part(record, "name"))).collect()
}

#[test]
fn steps_calls_and_graphs_are_in_it() {
    let (directory, wat) = (tempfile::tempdir().expect("a directory"), Wat::new(SHOW_WORLD));
    for (number, setup) in setups().into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.json"));
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg("--trace").arg(&path).arg(wat.path());
        let output = command.output().expect("the binary runs");
        assert_eq!(stdout(&output), "module.wat\n", "{setup:?}");
        let records = records(&path);
        let mut open = HashMap::<&str, i32>::new();
        for (phase, name) in &records {
            *open.entry(name).or_default() += match phase.as_str() {
                "B" => 1,
                "E" => -1,
                _ => 0,
            };
        }
        assert!(open.values().all(|count| *count == 0), "{setup:?}: {open:?}");
        let has = |phase: &str, name: &str| records.contains(&(phase.to_owned(), name.to_owned()));
        for step in ["read", "choose", "create", "jail", "load", "instantiate", "run"] {
            assert!(has("B", step), "{setup:?}: {step} in {records:?}");
        }
        for call in ["guest", "args_get", "environ_sizes_get", "fd_write", "answer"] {
            assert!(has("B", call), "{setup:?}: {call}");
        }
        for graph in ["exits", "guest memory"] {
            assert!(has("C", graph), "{setup:?}: {graph}");
        }
    }
}

#[test]
fn ctrl_c_leaves_a_whole_file() {
    let (directory, wat) = (tempfile::tempdir().expect("a directory"), Wat::new(SPIN));
    for (number, setup) in setups().into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.json"));
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg("--trace").arg(&path).arg(wat.path());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut line).expect("it writes before it spins");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{setup:?}");
        let records = records(&path);
        for (phase, name) in [("M", "process_name"), ("B", "run"), ("B", "fd_write")] {
            let there = records.contains(&(phase.to_owned(), name.to_owned()));
            assert!(there, "{setup:?}: {name} in {records:?}");
        }
    }
}

#[test]
fn a_worker_s_commands_are_in_it() {
    if setups().is_empty() {
        return skip("no VM can be made here");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("trace.json");
    let option = path.to_str().expect("ASCII");
    let ran = run_wat(&["--worker", "--trace", option], SHOW_WORLD, &[]);
    assert_eq!(ran.code(), Some(0));
    assert!(records(&path).contains(&("B".to_owned(), "worker".to_owned())));
}

#[test]
fn a_file_that_cannot_be_made_is_named_before_anything_runs() {
    let wat = Wat::new(SHOW_WORLD);
    let ran = run(&["--trace", "/nonexistent/trace.json"], &wat.path(), &[]);
    ran.assert_fails(1, &["cannot write the trace /nonexistent/trace.json", "No such file"]);
    assert_eq!(ran.stdout(), "");
    let output = wrt_vm().args(["run", "--trace"]).output().expect("the binary runs");
    assert_fails(&output, 2, &["--trace"]);
}

#[test]
fn standard_output_can_have_it() {
    let wat = Wat::new(r#"(module (func (export "_start")))"#);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--trace", "-"]).arg(wat.path());
        let output = command.output().expect("the binary runs");
        let records: Vec<Value> = serde_json::from_str(&stdout(&output)).expect("JSON alone");
        assert!(records.iter().any(|record| record["name"] == "instantiate"), "{setup:?}");
        assert!(!Path::new("-").exists(), "{setup:?}");
    }
}

//! Several programs at once, and what memory pressure does to them.

use crate::support::{
    CAT, SPIN, Setup, assert_fails, has_hypervisor, in_mount_namespace, setups, stderr, stdout,
    wrt_vm, wrt_vm_with_cache,
};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_wrt-vm");

/// Modules in one folder.
struct Modules(tempfile::TempDir);

impl Modules {
    fn new(modules: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in modules {
            std::fs::write(dir.path().join(name), text).expect("a file in it");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command that runs these, which are named relative to the folder.
    fn run(&self, setup: Setup, options: &[&str], names: &[&str]) -> Output {
        self.command(setup, options, names).output().expect("the binary runs")
    }

    fn command(&self, setup: Setup, options: &[&str], names: &[&str]) -> Command {
        let mut command = wrt_vm();
        command.current_dir(self.0.path()).arg("run").args(setup.options());
        command.args(options).args(names);
        command
    }
}

/// A program that writes a line of seven characters and exits with a code.
fn says(line: &str, code: u8) -> String {
    assert_eq!(line.len(), 7);
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\08\00\00\00{line}\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
    (call $exit (i32.const {code}))))"#
    )
}

/// A program that sleeps: `poll_oneoff` on a relative clock.
fn sleeps(time: Duration) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const {}))
    (drop (call $poll (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512)))))"#,
        time.as_nanos()
    )
}

const TRAPS: &str = "(module (func (export \"_start\") unreachable))";

#[test]
fn every_program_runs_and_the_first_failure_is_the_code() {
    if !has_hypervisor() {
        return;
    }
    let (three, four, zero) = (says("three..", 3), says("four...", 4), says("nought.", 0));
    let modules = Modules::new(&[
        ("zero.wat", &zero),
        ("three.wat", &three),
        ("trap.wat", TRAPS),
        ("four.wat", &four),
    ]);
    for setup in setups() {
        for jobs in ["1", "2", "8"] {
            let names = ["zero.wat", "three.wat", "trap.wat", "four.wat", "none.wat"];
            let output = modules.run(setup, &["--jobs", jobs], &names);
            assert_fails(&output, 3, &["trap.wat: ", "none.wat"]);
            let mut lines: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
            lines.sort();
            assert_eq!(lines, ["four...", "nought.", "three.."], "{setup:?}, {jobs} jobs");
            let output = modules.run(setup, &["--jobs", jobs], &["trap.wat", "three.wat"]);
            assert_fails(&output, 134, &["trap.wat: "]);
        }
        let output = modules.run(setup, &["--jobs", "2"], &["zero.wat", "zero.wat"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), "nought.\nnought.\n");
    }
}

#[test]
fn one_compiler_is_enough_for_one_after_the_other() {
    let texts = ["one....", "two....", "three..", "four..."].map(|line| says(line, 0));
    let names = ["1.wat", "2.wat", "3.wat", "4.wat"];
    let modules = Modules::new(&[0, 1, 2, 3].map(|n| (names[n], texts[n].as_str())));
    for setup in setups() {
        let options = ["--jobs", "1", "--no-cache", "--stats"];
        let output = modules.run(setup, &options, &names);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(stdout(&output), "one....\ntwo....\nthree..\nfour...\n");
        let compiled = stderr(&output).lines().any(|line| {
            line.starts_with("compiled") && line.contains(" 4 ") && line.contains("compilers: 1;")
        });
        assert_eq!(compiled, setup.engine == "native", "{}", stderr(&output));
    }
}

/// The number in the last line of `--stats`.
#[track_caller]
fn ran_at_once(output: &Output) -> usize {
    let text = stderr(output);
    let line = text.lines().find_map(|line| line.strip_prefix("ran at once"));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn programs_overlap_up_to_the_limit_in_every_class() {
    if !has_hypervisor() {
        return;
    }
    let sleep = sleeps(Duration::from_millis(1500));
    let modules = Modules::new(&[("a.wat", &sleep), ("b.wat", &sleep), ("c.wat", &sleep)]);
    let names = ["a.wat", "b.wat", "c.wat"];
    let setup = setups()[0];
    // Compiled beforehand, if it is to be.
    assert_eq!(modules.run(setup, &[], &["a.wat"]).status.code(), Some(0));
    for (jobs, qos) in [("1", "default"), ("2", "background"), ("2", "user-interactive")] {
        let begun = Instant::now();
        // Whatever else this machine is doing.
        let options = ["--ignore-pressure", "--jobs", jobs, "--qos", qos, "--stats"];
        let output = modules.run(setup, &options, &names);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(ran_at_once(&output).to_string(), jobs, "{qos}: {}", stderr(&output));
        let turns = if jobs == "1" { 3 } else { 2 };
        assert!(begun.elapsed() >= Duration::from_millis(1500) * turns, "{jobs}: too fast");
        let table = stderr(&output);
        for name in names {
            assert!(table.contains(&format!("{name}: exit code 0\ntime")), "{table}");
        }
    }
}

#[test]
fn the_timeout_is_each_programs_own() {
    if !has_hypervisor() {
        return;
    }
    let fine = says("all.ok.", 0);
    let modules = Modules::new(&[("spin.wat", SPIN), ("fine.wat", &fine)]);
    for setup in setups() {
        let names = ["spin.wat", "fine.wat", "spin.wat"];
        let output = modules.run(setup, &["--jobs", "1", "--timeout", "1500ms"], &names);
        assert_fails(&output, 124, &["spin.wat: timed out after 1500 ms"]);
        let said = stderr(&output);
        assert_eq!(stdout(&output), "spinning\nall.ok.\nspinning\n", "{setup:?}: {said}");
    }
}

#[test]
fn ctrl_c_ends_all() {
    if !has_hypervisor() {
        return;
    }
    let modules = Modules::new(&[("spin.wat", SPIN)]);
    for setup in setups() {
        let mut command = modules.command(setup, &["--jobs", "2"], &["spin.wat", "spin.wat"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        for _ in 0..2 {
            let mut line = String::new();
            out.read_line(&mut line).expect("they write before they spin");
            assert_eq!(line, "spinning\n");
        }
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
        assert_eq!(child.wait().expect("it ends").code(), Some(130), "{setup:?}");
    }
}

#[test]
fn programs_have_no_input_and_may_be_in_workers() {
    if !has_hypervisor() {
        return;
    }
    let modules = Modules::new(&[("cat.wat", CAT)]);
    for setup in setups() {
        let mut command =
            modules.command(setup, &["--worker", "--jobs", "2"], &["cat.wat", "cat.wat"]);
        // A pipe that nobody writes to or closes while they run.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let pipe = child.stdin.take();
        let output = child.wait_with_output().expect("it ends");
        drop(pipe);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
}

#[test]
fn wrong_usage() {
    let usage = |args: &[&str], parts: &[&str]| {
        let output = wrt_vm().arg("run").args(args).output().expect("the binary runs");
        assert_fails(&output, 2, parts);
    };
    usage(&["--qos", "utility", "a.wat"], &["--jobs"]);
    usage(&["--jobs", "0", "a.wat"], &["0"]);
    usage(&["--jobs", "2", "--invoke", "f", "a.wat"], &["--invoke"]);
    usage(&["--jobs", "2", "a.wat", "--stats"], &["`--stats`", "before the first"]);
}

/// Runs the command on a machine that has `available` of 1000 units of memory.
fn with_memory(available: u32, args: &str, dir: &Path) -> Option<Output> {
    let meminfo = dir.join("meminfo");
    let text = format!("MemTotal: 1000000 kB\nMemAvailable: {} kB\n", available * 1000);
    std::fs::write(&meminfo, text).expect("a file");
    in_mount_namespace(&format!(
        "mount --bind {} /proc/meminfo && cd {} && exec {BINARY} run --no-cache --engine interp \
         {args}",
        meminfo.display(),
        dir.display()
    ))
}

#[test]
fn no_vm_is_made_when_memory_is_nearly_used_up() {
    if !has_hypervisor() {
        return;
    }
    let fine = says("all.ok.", 0);
    let modules = Modules::new(&[("fine.wat", &fine)]);
    for jobs in ["", "--jobs 2"] {
        let Some(output) = with_memory(10, &format!("{jobs} fine.wat"), modules.0.path()) else {
            return;
        };
        assert_fails(&output, 1, &["pressure: critical", "--ignore-pressure"]);
        assert_eq!(stdout(&output), "", "{jobs}");
        let args = format!("{jobs} --ignore-pressure fine.wat");
        let output = with_memory(10, &args, modules.0.path()).expect("as before");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "all.ok.\n"));
    }
    let output = with_memory(900, "--stats fine.wat", modules.0.path()).expect("as before");
    assert_eq!(output.status.code(), Some(0));
    let pressure = |line: &str| line.contains("pressure") && line.ends_with("normal");
    assert!(stderr(&output).lines().any(pressure), "{}", stderr(&output));
}

#[test]
fn programs_run_one_by_one_when_memory_is_short() {
    if !has_hypervisor() {
        return;
    }
    let sleep = sleeps(Duration::from_millis(400));
    let modules = Modules::new(&[("a.wat", &sleep)]);
    for (available, at_once) in [(80, 1), (900, 2)] {
        let args = "--jobs 2 --stats a.wat a.wat a.wat";
        let Some(output) = with_memory(available, args, modules.0.path()) else { return };
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(ran_at_once(&output), at_once, "{}", stderr(&output));
    }
}

/// Two that compile the same module at the same time share the cache.
#[test]
fn the_cache_is_shared() {
    if !has_hypervisor() {
        return;
    }
    let fine = says("all.ok.", 0);
    let modules = Modules::new(&[("fine.wat", &fine)]);
    let cache = crate::support::code_cache();
    let mut command = wrt_vm_with_cache(cache.path());
    command.args(["run", "--engine", "native", "--jobs", "2"]);
    command.args([modules.path("fine.wat"), modules.path("fine.wat")]);
    let output = command.output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), "all.ok.\nall.ok.\n");
    let list = wrt_vm_with_cache(cache.path()).args(["cache", "list"]).output();
    assert!(stdout(&list.expect("the binary runs")).contains("1 module,"));

    let mut command = wrt_vm_with_cache(cache.path());
    command.args(["run", "--engine", "native", "--jobs", "1", "--ignore-pressure", "--stats"]);
    let output = command.args(vec![modules.path("fine.wat"); 5]).output().expect("the binary runs");
    let found = stderr(&output).lines().any(|line| {
        line.starts_with("code found")
            && line.contains(" 5 ")
            && line.contains("files 2, in memory 3")
    });
    assert!(found, "{}", stderr(&output));
}

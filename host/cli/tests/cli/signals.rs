//! Ctrl-C, SIGTERM, SIGHUP.

use crate::support::{SPIN, Setup, Wat, has_hypervisor, setups, stderr, wrt_vm};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Starts a program that spins, and waits until it does.
fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_line(&mut line).expect("it writes before it spins");
    assert_eq!(line, "spinning\n");
    child
}

fn spin(setup: Setup, options: &[&str], wat: &Wat) -> Command {
    let mut command = wrt_vm();
    command.arg("run").args(setup.options()).args(options).arg(wat.path());
    command
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

#[test]
fn a_signal_ends_a_spinning_program_with_the_shells_code() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SPIN);
    for setup in setups() {
        for place in [&[][..], &["--no-jail"], &["--worker"], &["--jobs", "2"]] {
            for (signal, code) in SIGNALS {
                let mut child = start(spin(setup, place, &wat));
                let pid = Pid::from_child(&child);
                send(&child, signal);
                let status = child.wait().expect("it ends");
                assert_eq!(status.code(), Some(code), "{setup:?} {place:?} {signal:?}");
                // Nothing is left behind: a VM is descriptors and memory.
                assert!(test_kill_process(pid).is_err());
                let mut said = String::new();
                let mut err = child.stderr.take().expect("a pipe");
                err.read_to_string(&mut said).expect("text");
                let ours: Vec<&str> =
                    said.lines().filter(|line| !line.contains(" note: ")).collect();
                assert_eq!(ours, [""; 0], "{setup:?} {place:?}: it is no failure");
            }
        }
    }
}

/// Whether a trace is whole.
fn is_json(trace: &Path) -> bool {
    let text = std::fs::read_to_string(trace).expect("the trace");
    serde_json::from_str::<serde_json::Value>(&text).is_ok()
}

#[test]
fn statistics_and_traces_are_finished_before() {
    if !has_hypervisor() {
        return;
    }
    let (wat, directory) = (Wat::new(SPIN), tempfile::tempdir().expect("a directory"));
    let trace = directory.path().join("trace.json");
    let options = ["--stats", "--trace", trace.to_str().expect("text")];
    for setup in setups() {
        for place in [&[][..], &["--no-jail"], &["--worker"], &["--jobs", "2"]] {
            for (signal, code) in SIGNALS {
                let child = start(spin(setup, &[&options[..], place].concat(), &wat));
                send(&child, signal);
                let output = child.wait_with_output().expect("it ends");
                let said = stderr(&output);
                assert_eq!(output.status.code(), Some(code), "{setup:?} {place:?}: {said}");
                assert!(said.contains("guest peak"), "{setup:?} {place:?} {signal:?}: {said}");
                assert!(is_json(&trace), "{setup:?} {place:?} {signal:?}");
            }
        }
    }
}

#[test]
fn they_do_not_wait_for_a_stream_that_is_not_read() {
    if !has_hypervisor() {
        return;
    }
    let floods = Wat::new(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 0) "\10\00\00\00\09\00\00\00\40\00\00\00\00\00\01\00spinning\n")
          (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 40)))
            (loop $again
              (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 40)))
              (br $again))))"#,
    );
    for setup in setups() {
        for place in [&[][..], &["--worker"], &["--jobs", "2"]] {
            let options = [&["--stats"], place].concat();
            let mut child = start(spin(setup, &options, &floods));
            send(&child, Signal::TERM);
            assert_eq!(child.wait().expect("it ends").code(), Some(143), "{setup:?} {place:?}");
        }
    }
}

#[test]
fn a_signal_that_was_ignored_stays_so() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(SPIN);
    for setup in setups() {
        let mut command = spin(setup, &[], &wat);
        // SAFETY: an async-signal-safe call; what `nohup` does.
        unsafe {
            command.pre_exec(|| {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
                Ok(())
            });
        }
        let mut child = start(command);
        send(&child, Signal::HUP);
        send(&child, Signal::TERM);
        assert_eq!(child.wait().expect("it ends").code(), Some(143), "{setup:?}");
    }
}

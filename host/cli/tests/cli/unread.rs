//! Streams that nobody reads or fills: a time limit holds all the same.

use crate::support::{Setup, Wat, has_hypervisor, setups, wrt_vm};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Writes 64 KiB to a stream, again and again.
fn flood(stream: u32) -> Wat {
    Wat::new(&format!(
        r#"(module
          (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 2)
          (data (i32.const 0) "\10\00\00\00\00\00\01\00")
          (func (export "_start")
            (loop $again
              (br_if $again (i32.eqz
                (call $write (i32.const {stream}) (i32.const 0) (i32.const 1) (i32.const 8)))))))"#
    ))
}

/// Fills standard error with what it logs.
const LOGS: &str = r#"(module
  (import "wrt_log" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (memory.fill (i32.const 0) (i32.const 97) (i32.const 4000))
    (loop $again (call $log (i32.const 1) (i32.const 0) (i32.const 4000)) (br $again))))"#;

/// Waits for a byte of standard input.
const READS: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\01\00\00\00")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Calls the host without end.
const CALLS: &str = r#"(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (func (export "_start") (loop $again (drop (call $yield)) (br $again))))"#;

/// Where a program's VM can be.
const PLACES: [&[&str]; 4] = [&[], &["--no-jail"], &["--worker"], &["--jobs", "2"]];

/// `run --timeout 1s`, with pipes at all streams.
fn run(setup: Setup, options: &[&str], module: &Wat) -> Command {
    let mut command = wrt_vm();
    command.arg("run").args(setup.options()).args(["--timeout", "1s"]).args(options);
    command.arg(module.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the end without reading or writing anything, and kills what hangs.
#[track_caller]
fn code(child: &mut Child) -> Option<i32> {
    let hangs = Instant::now() + Duration::from_secs(60);
    while Instant::now() < hangs {
        if let Some(status) = child.try_wait().expect("a child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("a child");
    panic!("it does not end");
}

#[test]
fn output_that_is_not_read_ends_with_the_time_limit() {
    if !has_hypervisor() {
        return;
    }
    for stream in [1, 2] {
        let module = flood(stream);
        for setup in setups() {
            for place in PLACES {
                let mut child = run(setup, place, &module).spawn().expect("the binary runs");
                assert_eq!(code(&mut child), Some(124), "{setup:?} {place:?} stream {stream}");
            }
        }
    }
}

#[test]
fn so_do_statistics_and_the_log() {
    if !has_hypervisor() {
        return;
    }
    let (module, logs) = (flood(2), Wat::new(LOGS));
    for setup in setups() {
        for place in PLACES {
            let with_stats = [place, &["--stats"]].concat();
            let mut child = run(setup, &with_stats, &module).spawn().expect("the binary runs");
            assert_eq!(code(&mut child), Some(124), "{setup:?} {place:?}");
            for format in ["text", "json"] {
                let with_log = [place, &["--log", format, "-v"]].concat();
                let mut child = run(setup, &with_log, &logs).spawn().expect("the binary runs");
                assert_eq!(code(&mut child), Some(124), "{setup:?} {place:?} {format}");
            }
        }
    }
}

#[test]
fn input_that_does_not_come_ends_with_the_time_limit() {
    if !has_hypervisor() {
        return;
    }
    let module = Wat::new(READS);
    for setup in setups() {
        for place in &PLACES[..3] {
            let mut child = run(setup, place, &module).spawn().expect("the binary runs");
            // Or it would be closed.
            let stdin = child.stdin.take();
            assert_eq!(code(&mut child), Some(124), "{setup:?} {place:?}");
            drop(stdin);
        }
    }
}

#[test]
fn a_trace_that_is_not_read_ends_with_the_time_limit() {
    if !has_hypervisor() {
        return;
    }
    let (module, directory) = (Wat::new(CALLS), tempfile::tempdir().expect("a directory"));
    let fifo = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo is there").success());
    for setup in setups() {
        let trace = ["--trace", fifo.to_str().expect("text")];
        // Nothing opens it; then something has it open, and does not read.
        let mut child = run(setup, &trace, &module).spawn().expect("the binary runs");
        assert_eq!(code(&mut child), Some(124), "{setup:?}");
        let mut child = run(setup, &trace, &module).spawn().expect("the binary runs");
        let reader = std::fs::File::open(&fifo).expect("a pipe");
        assert_eq!(code(&mut child), Some(124), "{setup:?}");
        drop(reader);
    }
}

#[test]
fn signals_that_were_blocked_are_not() {
    if !has_hypervisor() {
        return;
    }
    let spins = Wat::new(r#"(module (func (export "_start") (loop $again (br $again))))"#);
    for setup in setups() {
        for module in [&flood(2), &spins] {
            for place in PLACES {
                let mut command = run(setup, place, module);
                // SAFETY: async-signal-safe calls, on this child's mask alone.
                unsafe {
                    command.pre_exec(|| {
                        let mut all: libc::sigset_t = std::mem::zeroed();
                        libc::sigfillset(&raw mut all);
                        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
                        Ok(())
                    });
                }
                let mut child = command.spawn().expect("the binary runs");
                assert_eq!(code(&mut child), Some(124), "{setup:?} {place:?}");
            }
        }
    }
}

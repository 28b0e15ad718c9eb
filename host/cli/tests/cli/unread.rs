//! Streams that nobody reads or fills: a time limit holds all the same.

use crate::support::{Setup, Wat, has_hypervisor, setups, wrt_vm};
use std::io::Write as _;
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

/// The same, where it matters only whether it is this process.
const IN_AND_OUT: [&[&str]; 2] = [&[], &["--jobs", "2"]];

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
    let with_trace = |place: &[_]| [place, &["--trace", fifo.to_str().expect("text")]].concat();
    for place in PLACES {
        // Nothing opens it, and no VM is made.
        is_given_up(run(setups()[0], &with_trace(place), &module), "cannot write the trace");
    }
    for setup in setups() {
        for place in IN_AND_OUT {
            // Something has it open, and does not read.
            let trace = with_trace(place);
            let mut child = run(setup, &trace, &module).spawn().expect("the binary runs");
            let reader = std::fs::File::open(&fifo).expect("a pipe");
            let code = code(&mut child);
            let output = child.wait_with_output().expect("it ended");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(code, Some(124), "{setup:?} {place:?}: {said}");
            drop(reader);
        }
    }
}

/// Asserts that a command ends with an error since no process reads its pipe.
#[track_caller]
fn is_given_up(mut command: Command, what: &str) {
    let mut child = command.spawn().expect("the binary runs");
    let code = code(&mut child);
    let output = child.wait_with_output().expect("it ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(what) && said.contains("no process read this pipe within 1 s"), "{said}");
}

#[test]
fn so_do_results() {
    if !has_hypervisor() {
        return;
    }
    let module = Wat::new(r#"(module (func (export "_start")))"#);
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("mkfifo is there").success());
    let result = format!("json:{}", fifo.display());
    let with_result = |place: &[_]| [place, &["--result", &result]].concat();
    for place in PLACES {
        is_given_up(run(setups()[0], &with_result(place), &module), "cannot write the result");
    }
    for setup in setups() {
        for place in IN_AND_OUT {
            let options = with_result(place);
            // Has it open, does not read, and there is no room left.
            let mut both = std::fs::File::options().read(true).write(true).open(&fifo);
            let both = both.as_mut().expect("a pipe");
            rustix::io::ioctl_fionbio(&*both, true).expect("a flag");
            while both.write(&[0; 4096]).is_ok() {}
            let mut child = run(setup, &options, &module).spawn().expect("the binary runs");
            assert_eq!(code(&mut child), Some(1), "{setup:?} {place:?}");
        }
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

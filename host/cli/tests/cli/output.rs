//! Output: how much of it there may be, and how it fails.

use crate::support::{
    CAT, Wat, assert_fails, has_hypervisor, run_wat, setups, stderr, stdout, wrt_vm,
};
use std::fs::File;
use std::io::{Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

/// Writes 10 bytes to standard output and 10 to standard error, again and again, and exits with the
/// errno.
const WRITES: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\0a\00\00\00")
  (data (i32.const 16) "0123456789")
  (func $put (param $stream i32) (local $errno i32)
    (local.set $errno (call $write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start")
    (loop $again (call $put (i32.const 1)) (call $put (i32.const 2)) (br $again))))"#;

#[test]
fn a_program_that_writes_more_than_it_may_ends_there() {
    if !has_hypervisor() {
        return;
    }
    for place in [&[][..], &["--no-jail"], &["--worker"], &["--jobs", "1"]] {
        let options = [&["--max-output", "45"], place].concat();
        let ran = run_wat(&options, WRITES, &[]);
        assert_eq!(ran.code(), Some(153), "{place:?}");
        // 10 each, 10 each, and the 5 that are left.
        assert_eq!(ran.stdout(), "0123456789".repeat(2) + "01234", "{place:?}");
        for (setup, said) in ran.errors() {
            assert!(said.contains(&"0123456789".repeat(2)), "{setup}: {said}");
            assert!(said.contains("wrote more than 45 B"), "{setup}: {said}");
            assert!(said.contains("--max-output"), "{setup}: {said}");
        }
    }
}

#[test]
fn a_program_that_writes_just_that_much_does_not() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(CAT);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--max-output", "8"]).arg(wat.path());
        let input = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(input.path(), "8 bytes!").expect("a file");
        command.stdin(File::open(input.path()).expect("a file"));
        let output = command.output().expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{setup:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "8 bytes!");
    }
}

#[test]
fn a_full_device_is_the_programs_error() {
    if !has_hypervisor() || !cfg!(target_os = "linux") {
        return;
    }
    let wat = Wat::new(WRITES);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg(wat.path());
        let full = File::options().write(true).open("/dev/full").expect("it is always there");
        let status = command.stdout(full).stderr(Stdio::null()).status().expect("it runs");
        // ENOSPC.
        assert_eq!(status.code(), Some(51), "{setup:?}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_the_programs_error() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(WRITES);
    // More than a guest's memory takes, where that is a file.
    const LIMIT: u64 = 1 << 42;
    for setup in setups() {
        let mut file = tempfile::tempfile().expect("a file");
        if file.set_len(LIMIT - 25).is_err() {
            crate::support::skip("files of 4 TiB, even sparse ones, are too large here");
            return;
        }
        file.seek(SeekFrom::End(0)).expect("a file");
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg(wat.path());
        command.stdout(file.try_clone().expect("a descriptor")).stderr(Stdio::null());
        // SAFETY: an async-signal-safe call.
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: LIMIT, rlim_max: LIMIT };
                libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
                Ok(())
            });
        }
        let status = command.status().expect("the binary runs");
        // EFBIG, and not the death by SIGXFSZ.
        assert_eq!(status.code(), Some(22), "{setup:?}");
        assert_eq!(file.metadata().expect("a file").len(), LIMIT, "{setup:?}: what fits is there");
    }
}

#[test]
fn a_limit_of_files_is_an_error_and_no_death() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(WRITES);
    for setup in setups() {
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).args(["--max-output", "20"]).arg(wat.path());
        // SAFETY: an async-signal-safe call.
        unsafe {
            command.pre_exec(|| {
                let limit = libc::rlimit { rlim_cur: 1000, rlim_max: 1000 };
                libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
                Ok(())
            });
        }
        let output = command.output().expect("the binary runs");
        let said = stderr(&output);
        // What needs no file works; the rest says what it lacks.
        match output.status.code() {
            Some(153) => {}
            code => assert_eq!(code, Some(1), "{setup:?}: {:?} {said}", output.status),
        }
    }
}

#[test]
fn a_program_that_was_refused_memory_is_told_from_others() {
    if !has_hypervisor() {
        return;
    }
    let grows = r#"(module (memory (export "memory") 1)
      (func (export "_start")
        (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable))))"#;
    for place in [&[][..], &["--worker"], &["--jobs", "1"]] {
        let options = [&["--stats", "--max-memory", "1MiB"], place].concat();
        run_wat(&options, grows, &[]).assert_fails(134, &["refused memory", "--max-memory"]);
        let options = [&["--stats", "--max-memory", "1GiB"], place].concat();
        let ran = run_wat(&options, grows, &[]);
        assert_eq!(ran.code(), Some(0));
        for (setup, said) in ran.errors() {
            assert!(!said.contains("refused"), "{setup}: {said}");
        }
    }
    // Another failure is none of memory's.
    let traps = r#"(module (func (export "_start") unreachable))"#;
    for (setup, said) in run_wat(&["--stats"], traps, &[]).errors() {
        assert!(!said.contains("refused"), "{setup}: {said}");
    }
}

#[test]
fn streams_that_are_closed_lead_nowhere() {
    if !has_hypervisor() {
        return;
    }
    let (wat, directory) = (Wat::new(CAT), tempfile::tempdir().expect("a directory"));
    for setup in setups() {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let trace = directory.path().join("trace.json");
            let mut command = std::process::Command::new("sh");
            let script = format!("echo text | \"$0\" \"$@\" {closed}");
            command.args(["-c", &script]).arg(env!("CARGO_BIN_EXE_wrt-vm")).arg("run");
            command.args(setup.options()).arg("--trace").arg(&trace).arg(wat.path());
            let output = command.output().expect("a shell");
            assert!(!stderr(&output).contains("panicked"), "{setup:?} {closed}");
            assert_eq!(output.status.code(), Some(0), "{setup:?} {closed}: {}", stderr(&output));
            // Nothing of ours has the number of a stream.
            let text = std::fs::read_to_string(&trace).expect("the trace");
            let trace: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(trace.is_ok(), "{setup:?} {closed}: {text}");
        }
    }
}

/// A program that opens `..` and a file below each standard stream, and exits with the sum of the
/// errors: 8 is EBADF's number.
const LEADS_OUT: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "../etc")
    (func $try (param $fd i32) (param $len i32) (result i32)
        (call $open (local.get $fd) (i32.const 1) (i32.const 0) (local.get $len) (i32.const 0)
            (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16)))
    (func (export "_start")
        (call $exit (i32.add (i32.add
            (i32.add (call $try (i32.const 0) (i32.const 2)) (call $try (i32.const 0) (i32.const 6)))
            (i32.add (call $try (i32.const 1) (i32.const 2)) (call $try (i32.const 1) (i32.const 6))))
            (i32.add (call $try (i32.const 2) (i32.const 2)) (call $try (i32.const 2) (i32.const 6)))))))"#;

#[test]
fn a_directory_as_a_stream_is_refused_by_a_jail_and_never_led_out_of() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(LEADS_OUT);
    for setup in setups() {
        for (stream, redirected) in [("input", "0</"), ("output", "1</")] {
            let run = |place: &[&str]| {
                let mut command = std::process::Command::new("sh");
                command.args(["-c", &format!("exec \"$0\" \"$@\" {redirected}")]);
                command.arg(env!("CARGO_BIN_EXE_wrt-vm")).arg("run").args(setup.options());
                command.args(place).arg(wat.path()).output().expect("a shell")
            };
            let what = format!("standard {stream} is a directory");
            for place in [&[][..], &["--worker"]] {
                assert_fails(&run(place), 1, &[&what, "/dev/null"]);
            }
            // Each of several programs has an input of its own, which is empty.
            let jobs = run(&["--jobs", "1"]);
            match stream {
                "input" => assert_eq!(jobs.status.code(), Some(6 * 8), "{}", stderr(&jobs)),
                _ => assert_fails(&jobs, 1, &[&what, "/dev/null"]),
            }
            let open = run(&["--no-jail"]);
            assert_eq!(open.status.code(), Some(6 * 8), "{setup:?}: {}", stderr(&open));
        }
    }
}

#[test]
fn a_limit_that_makes_no_sense_is_wrong_usage() {
    let wat = Wat::new(CAT);
    let mut command = wrt_vm();
    command.args(["run", "--max-output", "many"]).arg(wat.path());
    assert_fails(&command.output().expect("the binary runs"), 2, &["--max-output"]);
}

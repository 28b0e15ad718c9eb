//! Standard streams: nothing is lost, nothing hangs.

use crate::support::{
    CAT, SHOW_WORLD, Wat, has_hypervisor, run_wat, setups, start, stderr, stdout, wrt_vm,
};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

#[test]
fn a_conversation_line_by_line() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(CAT);
    for setup in setups() {
        let mut child = start(setup, &wat);
        let mut to = child.stdin.take().expect("a pipe");
        let mut from = BufReader::new(child.stdout.take().expect("a pipe"));
        for question in ["one\n", "two\n", "three\n"] {
            to.write_all(question.as_bytes()).expect("it reads");
            let mut answer = String::new();
            from.read_line(&mut answer).expect("it answers before it is asked again");
            assert_eq!(answer, question, "{setup:?}");
        }
        drop(to);
        assert!(child.wait().expect("it ends").success(), "{setup:?}");
    }
}

#[test]
fn a_megabyte_through_and_back() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(CAT);
    let bytes: Vec<u8> =
        (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for setup in setups() {
        let mut child = start(setup, &wat);
        let mut to = child.stdin.take().expect("a pipe");
        let sent = bytes.clone();
        let writer = std::thread::spawn(move || to.write_all(&sent));
        let output = child.wait_with_output().expect("it ends");
        writer.join().expect("no panic").expect("it reads all");
        assert!(output.stdout == bytes, "{setup:?}: {} bytes came back", output.stdout.len());
    }
}

#[test]
fn output_before_a_trap_is_kept() {
    if !has_hypervisor() {
        return;
    }
    // No line end: nothing may wait in a buffer for one.
    let text = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\04\00\00\00last")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))
            (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 64)))
            unreachable))"#;
    let output = run_wat(&[], text, &[]);
    assert_eq!(output.code(), Some(134));
    assert_eq!(output.stdout(), "last");
    for (setup, said) in output.errors() {
        assert!(said.starts_with("last"), "{setup}: {said}");
    }
}

#[test]
fn a_closed_stdout_is_the_programs_error() {
    if !has_hypervisor() {
        return;
    }
    let wat = Wat::new(CAT);
    for setup in setups() {
        let mut child = start(setup, &wat);
        drop(child.stdout.take());
        let mut to = child.stdin.take().expect("a pipe");
        to.write_all(b"into the void\n").expect("it reads");
        drop(to);
        let output = child.wait_with_output().expect("it ends");
        // EPIPE.
        assert_eq!(output.status.code(), Some(64), "{setup:?}: {}", stderr(&output));
    }
}

/// The same wherever its VM is, and of standard error.
#[test]
fn a_closed_stream_is_the_programs_error_everywhere() {
    if !has_hypervisor() {
        return;
    }
    for stream in [1, 2] {
        // Writes until that is an error, and exits with it.
        let wat = Wat::new(&format!(
            r#"(module
            (import "wasi_snapshot_preview1" "fd_write"
                (func $write (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\00\10\00\00")
            (func (export "_start") (local $errno i32)
                (loop $again
                    (local.set $errno (call $write (i32.const {stream}) (i32.const 0) (i32.const 1)
                        (i32.const 8)))
                    (br_if $again (i32.eqz (local.get $errno))))
                (call $exit (local.get $errno))))"#
        ));
        for setup in setups() {
            for place in [&["--worker"][..], &["--jobs", "2"]] {
                let mut command = wrt_vm();
                command.arg("run").args(setup.options()).args(place).arg(wat.path());
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
                let mut child = command.spawn().expect("the binary runs");
                match stream {
                    1 => drop(child.stdout.take()),
                    _ => drop(child.stderr.take()),
                }
                let output = child.wait_with_output().expect("it ends");
                let said = stderr(&output);
                // EPIPE.
                let code = output.status.code();
                assert_eq!(code, Some(64), "{setup:?} {place:?} stream {stream}: {said}");
            }
        }
    }
}

#[test]
fn a_module_from_standard_input() {
    if !has_hypervisor() {
        return;
    }
    let mut command = wrt_vm();
    command.args(["run", "-", "x"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let module = wat::parse_str(SHOW_WORLD).expect("valid text");
    child.stdin.take().expect("a pipe").write_all(&module).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(stdout(&output), "-\nx\n");
}

/// Moves 200 MiB at once, however much there is, and traps if that is an error: from standard input
/// and the file `file` (5 bytes), to standard output and the file.
const MOVES_MUCH: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pread"
    (func $pread (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite"
    (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_tell" (func $tell (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (memory (export "memory") 3300)
  (data (i32.const 0) "\00\00\01\00\00\00\80\0c")
  (data (i32.const 64) "file")
  (func $check (param $errno i32) (param $moved i32)
    (if (local.get $errno) (then unreachable))
    (if (i32.ne (i32.load (i32.const 8)) (local.get $moved)) (then unreachable)))
  (func (export "_start")
    (call $check (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 6))
    (call $check (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (i32.const 0x0c800000))
    (call $check
      (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
        (i64.const 0x66) (i64.const 0) (i32.const 0) (i32.const 8))
      (i32.const 4))
    (call $check (call $pread (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 2) (i32.const 8))
      (i32.const 3))
    (if (i32.ne (i32.load8_u (i32.const 65536)) (i32.const 51)) (then unreachable))
    ;; That moved nothing else.
    (call $check (call $tell (i32.const 4) (i32.const 8)) (i32.const 0))
    (call $check (call $read (i32.const 4) (i32.const 0) (i32.const 1) (i32.const 8)) (i32.const 5))
    (call $check (call $pread (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 5) (i32.const 8))
      (i32.const 0))
    (call $check
      (call $pwrite (i32.const 4) (i32.const 0) (i32.const 1) (i64.const 0) (i32.const 8))
      (i32.const 0x0c800000))
    (call $check (call $tell (i32.const 4) (i32.const 8)) (i32.const 5))))"#;

#[test]
fn a_call_may_ask_for_more_than_there_is_or_that_fits_elsewhere() {
    if !has_hypervisor() {
        return;
    }
    let (wat, directory) = (Wat::new(MOVES_MUCH), tempfile::tempdir().expect("a directory"));
    let file = directory.path().join("file");
    for setup in setups() {
        std::fs::write(&file, "12345").expect("a file");
        let mut command = wrt_vm();
        command.arg("run").args(setup.options()).arg("--dir");
        command.arg(format!("{}::/", directory.path().display())).arg(wat.path());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("the binary runs");
        child.stdin.take().expect("a pipe").write_all(b"input\n").expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{setup:?}: {}", stderr(&output));
        assert_eq!(std::fs::metadata(&file).expect("a file").len(), 200 << 20, "{setup:?}");
    }
}

#[test]
fn streams_keep_their_places_when_a_program_renumbers_them() {
    if !has_hypervisor() {
        return;
    }
    // Standard error takes the place of standard output, and its own number is free.
    let text = r#"(module
      (import "wasi_snapshot_preview1" "fd_renumber" (func $renumber (param i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
      (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
      (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 0) "\10\00\00\00\02\00\00\00")
      (data (i32.const 16) "to")
      (func $put (param i32) (result i32)
        (call $write (local.get 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (func (export "_start")
        (if (call $renumber (i32.const 2) (i32.const 1)) (then unreachable))
        (if (call $put (i32.const 1)) (then unreachable))
        (if (i32.ne (call $put (i32.const 2)) (i32.const 8)) (then unreachable))
        (if (call $close (i32.const 1)) (then unreachable))
        (call $exit (call $put (i32.const 1)))))"#;
    let ran = run_wat(&[], text, &[]);
    // EBADF.
    assert_eq!(ran.code(), Some(8));
    assert_eq!(ran.stdout(), "");
    for (setup, said) in ran.errors() {
        assert_eq!(said, "to", "{setup}");
    }
}

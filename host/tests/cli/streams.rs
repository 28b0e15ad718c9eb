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
        // wasmtime-wasi reports any failure of a stream as EIO, 29.
        assert_eq!(output.status.code(), Some(29), "{setup:?}: {}", stderr(&output));
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

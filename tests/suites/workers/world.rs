//! What a program sees from inside a worker is what its VM was given.

use crate::{HANG, call, instantiate};
use std::fs;
use std::time::Instant;
use wrt_tests::{Setup, matrix};
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{MicroVm, Value, WasiConfig};

/// Copies up to 32 bytes of standard input to standard output and standard error; makes a
/// directory in what it was given.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $mkdir (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\40\00\00\00\20\00\00\00")
    (data (i32.const 32) "made")
    (func (export "copy") (result i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "make") (result i32)
        (call $mkdir (i32.const 3) (i32.const 32) (i32.const 4))))"#;

const OK: [Value; 1] = [Value::I32(0)];

fn with_world(setup: Setup, world: WasiConfig) -> MicroVm {
    let mut vm = setup.in_worker().wasi(world).build().unwrap();
    vm.set_deadline(Some(Instant::now() + HANG));
    vm
}

fn streams(input: &str, output: &OutputBuffer, error: &OutputBuffer) -> WasiConfig {
    WasiConfig::new()
        .stdin(Stdin::Bytes(input.into()))
        .stdout(Output::Capture(output.clone()))
        .stderr(Output::Capture(error.clone()))
}

#[test]
fn streams_pass_between_the_processes() {
    for setup in matrix() {
        let [output, error] = [100, 100].map(OutputBuffer::new);
        let mut vm = with_world(setup, streams("first", &output, &error));
        let instance = instantiate(&mut vm, PROGRAM);
        assert_eq!(call(&mut vm, instance, "copy", &[]).unwrap(), OK, "{setup}");
        assert_eq!((&output.contents()[..], &error.contents()[..]), (&b"first"[..], &b"first"[..]));
        // Another world, with streams of its own; the old ones stay as they are.
        let next = OutputBuffer::new(100);
        vm.reset_with(streams("second", &next, &OutputBuffer::new(100))).unwrap();
        let instance = instantiate(&mut vm, PROGRAM);
        assert_eq!(call(&mut vm, instance, "copy", &[]).unwrap(), OK, "{setup}");
        assert_eq!(&next.contents()[..], b"second", "{setup}");
        assert_eq!(&output.contents()[..], b"first", "{setup}");
    }
}

#[test]
fn directories_are_open_to_it_as_they_were_given() {
    for setup in matrix() {
        let directory = tempfile::tempdir().unwrap();
        let mut vm = with_world(setup, WasiConfig::new().dir(directory.path(), "/here"));
        let instance = instantiate(&mut vm, PROGRAM);
        assert_eq!(call(&mut vm, instance, "make", &[]).unwrap(), OK, "{setup}");
        assert!(directory.path().join("made").is_dir(), "{setup}");
        fs::remove_dir(directory.path().join("made")).unwrap();

        vm.reset_with(WasiConfig::new().read_only_dir(directory.path(), "/here")).unwrap();
        let instance = instantiate(&mut vm, PROGRAM);
        assert_ne!(call(&mut vm, instance, "make", &[]).unwrap(), OK, "{setup}: read-only");
        assert!(!directory.path().join("made").exists(), "{setup}");

        let missing = directory.path().join("missing");
        let error = vm.reset_with(WasiConfig::new().dir(&missing, "/")).unwrap_err().to_string();
        assert!(error.contains("missing") && error.contains("No such file"), "{setup}: {error}");
    }
}

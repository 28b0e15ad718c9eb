//! After a reset a VM is as new.

use crate::{call, instantiate};
use std::fs;
use std::time::Instant;
use wrt_tests::{HANG, matrix};
use wrt_vm::world::{Output, OutputBuffer, Stdin};
use wrt_vm::{Error, Value, WasiConfig};

const STATE: &str = r#"(module
    (memory (export "memory") 20)
    (global $g (export "global") (mut i32) (i32.const 1))
    (func (export "change") (param i32)
        (global.set $g (local.get 0))
        (memory.fill (i32.const 0) (local.get 0) (i32.const 0x140000))
        (drop (memory.grow (i32.const 100)))))"#;

#[test]
fn globals_memories_and_names_are_as_new() {
    for setup in matrix() {
        let mut vm = setup.vm();
        for round in 2..6 {
            let instance = instantiate(&mut vm, STATE);
            assert_eq!(vm.global(instance, "global").unwrap(), Value::I32(1), "{setup}");
            let memory = vm.memory(instance, "memory").unwrap();
            let size = vm.memory_size(memory).unwrap();
            assert_eq!(size, 20 << 16, "{setup}");
            let mut bytes = vec![1; 20 << 16];
            vm.read_memory(memory, 0, &mut bytes).unwrap();
            assert!(bytes.iter().all(|byte| *byte == 0), "{setup}: an old memory shows");

            call(&mut vm, instance, "change", &[Value::I32(round)]).unwrap();
            vm.register(instance, "old").unwrap();
            vm.reset().unwrap();
            let user = r#"(module (import "old" "global" (global (mut i32))))"#;
            let error = crate::try_instantiate(&mut vm, user).unwrap_err();
            assert!(matches!(error, Error::Unlinkable { .. }), "{setup}: {error}");
        }
    }
}

/// Writes its first argument's length and what it reads to standard output, and makes a file.
const WORLD: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory"
        (func $mkdir (param i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\40\00\00\00\20\00\00\00") ;; 32 bytes at 64
    (data (i32.const 32) "made")
    (func (export "copy") (result i32)
        (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (func (export "make") (result i32)
        (call $mkdir (i32.const 3) (i32.const 32) (i32.const 4))))"#;

fn world(input: &str, output: &OutputBuffer) -> WasiConfig {
    WasiConfig::new().stdin(Stdin::Bytes(input.into())).stdout(Output::Capture(output.clone()))
}

#[test]
fn the_wasi_world_is_as_new() {
    for setup in matrix() {
        let output = OutputBuffer::new(1000);
        let mut vm = setup.builder().wasi(world("again", &output)).build().unwrap();
        for round in 1..4 {
            let instance = instantiate(&mut vm, WORLD);
            // The second time input is at its end.
            for _ in 0..2 {
                assert_eq!(call(&mut vm, instance, "copy", &[]).unwrap(), [Value::I32(0)]);
            }
            assert_eq!(output.contents(), "again".repeat(round).into_bytes(), "{setup}");
            vm.reset().unwrap();
        }
    }
}

#[test]
fn a_reset_may_bring_another_world() {
    const BADF: i32 = 8;
    for setup in matrix() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [(); 2].map(|()| OutputBuffer::new(1000));
        let mut vm = setup.builder().wasi(world("one", &first)).build().unwrap();
        let instance = instantiate(&mut vm, WORLD);
        call(&mut vm, instance, "copy", &[]).unwrap();
        assert_eq!(call(&mut vm, instance, "make", &[]).unwrap(), [Value::I32(BADF)]);

        vm.reset_with(world("two", &second).dir(folder.path(), "/")).unwrap();
        let instance = instantiate(&mut vm, WORLD);
        call(&mut vm, instance, "copy", &[]).unwrap();
        assert_eq!(call(&mut vm, instance, "make", &[]).unwrap(), [Value::I32(0)], "{setup}");
        assert!(fs::metadata(folder.path().join("made")).unwrap().is_dir());
        assert_eq!([first.contents(), second.contents()], [&b"one"[..], b"two"]);

        let error = vm.reset_with(WasiConfig::new().dir("/no/such/folder", "/")).unwrap_err();
        assert!(error.to_string().contains("/no/such/folder"), "{error}");
        vm.reset_with(WasiConfig::new()).unwrap();
        let instance = instantiate(&mut vm, WORLD);
        assert_eq!(call(&mut vm, instance, "make", &[]).unwrap(), [Value::I32(BADF)], "{setup}");
    }
}

#[test]
fn a_deadline_ends_with_a_reset_and_with_a_restore() {
    for setup in matrix() {
        let mut vm = setup.vm();
        instantiate(&mut vm, STATE);
        vm.set_deadline(Some(Instant::now()));
        vm.reset().unwrap_or_else(|error| panic!("{setup}: {error}"));
        let instance = instantiate(&mut vm, STATE);
        let snapshot = vm.snapshot().unwrap();
        vm.set_deadline(Some(Instant::now()));
        let late = call(&mut vm, instance, "change", &[Value::I32(2)]).unwrap_err();
        assert!(matches!(late, Error::Interrupted(_)), "{setup}: {late}");
        vm.restore(&snapshot, WasiConfig::new()).unwrap_or_else(|e| panic!("{setup}: {e}"));
        call(&mut vm, instance, "change", &[Value::I32(2)]).unwrap();
    }
}

/// It was for the VM that was built, and not for others that are made like it.
#[test]
fn a_deadline_of_a_builder_is_not_that_of_a_snapshot() {
    for setup in matrix().into_iter().filter(|setup| !setup.is_in_workers()) {
        let soon = Instant::now() + HANG;
        let mut vm = setup.builder().deadline(Some(soon)).build().unwrap();
        let instance = instantiate(&mut vm, STATE);
        let snapshot = vm.snapshot().unwrap();
        vm.set_deadline(Some(Instant::now()));
        assert!(call(&mut vm, instance, "change", &[Value::I32(2)]).is_err(), "{setup}");
        let mut other = snapshot.vm(WasiConfig::new()).unwrap();
        call(&mut other, instance, "change", &[Value::I32(2)]).unwrap();
    }
}

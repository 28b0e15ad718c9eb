//! An error is the same in a worker as in this process.

use crate::{HANG, instantiate, worker};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};
use wrt_tests::{matrix, program};
use wrt_vm::error::{Interruption, Trap, TrapKind};
use wrt_vm::worker::Workers;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Error, MicroVm, WasiConfig};

/// Ends in as many ways as there are exports.
const PROGRAM: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\20\00\00\00")
    (func (export "write")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
    (func (export "exit") (call $exit (i32.const 300)))
    (func (export "trap") (unreachable))
    (func (export "spin") (loop $again (br $again))))"#;

fn ends(vm: &mut MicroVm, export: &str) -> Error {
    let instance = instantiate(vm, PROGRAM);
    let function = vm.function(instance, export).unwrap();
    vm.call(&function, &[]).unwrap_err()
}

#[test]
fn a_program_ends_in_the_same_way() {
    for setup in matrix() {
        let mut vm = worker(setup);
        let empty = vm.snapshot().map(drop).unwrap_err();
        assert!(matches!(empty, Error::Snapshot(_)), "{setup}: {empty}");
        assert!(empty.to_string().contains("load a module"), "{setup}: {empty}");
        let trap = ends(&mut vm, "trap");
        let kind = TrapKind::Unreachable;
        assert!(matches!(&trap, Error::Trap(Trap { kind: found, .. }) if *found == kind), "{trap}");
        assert!(matches!(ends(&mut vm, "exit"), Error::Exit(300)), "{setup}");

        let world = |output| WasiConfig::new().stdout(output);
        vm.reset_with(world(Output::Discard).max_output(7)).unwrap();
        let much = ends(&mut vm, "write");
        assert!(matches!(much, Error::OutputLimit { limit: 7 }), "{setup}: {much}");
        vm.reset_with(world(Output::Capture(OutputBuffer::new(5)))).unwrap();
        let much = ends(&mut vm, "write");
        assert!(matches!(much, Error::OutputLimit { limit: 5 }), "{setup}: {much}");

        vm.reset().unwrap();
        vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
        let late = ends(&mut vm, "spin");
        assert!(matches!(late, Error::Interrupted(Interruption::TimedOut)), "{setup}: {late}");
    }
}

/// What the worker's process lacks is told as what this one lacks.
#[test]
fn a_worker_without_descriptors_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let starved = folder.path().join("starved");
    // Two sockets are at 3 and 4; one more may be open.
    let script = format!("#!/bin/sh\nulimit -n 6\nexec {} \"$@\"\n", program().display());
    fs::write(&starved, script).unwrap();
    fs::set_permissions(&starved, Permissions::from_mode(0o700)).unwrap();
    for setup in matrix().into_iter().filter(|setup| !setup.is_simulated()) {
        let settings = setup.builder().placement(Workers::new(&starved).jailed(false));
        let error = settings.deadline(Some(Instant::now() + HANG)).build().map(drop).unwrap_err();
        assert!(matches!(error, Error::OutOfDescriptors(_)), "{setup}: {error:?}");
    }
}

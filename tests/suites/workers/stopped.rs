//! Workers that do not answer: SIGSTOP stands for one that its guest has taken over.

use crate::{HANG, call, instantiate, worker};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};
use wrt_tests::{Setup, matrix};
use wrt_vm::error::{Interruption, VmEnd};
use wrt_vm::vm::Instance;
use wrt_vm::world::OutputBuffer;
use wrt_vm::world::{Output, Stdin};
use wrt_vm::{Error, MicroVm, Value, WasiConfig};

const MODULE: &str = r#"(module (memory (export "memory") 1600)
    (func (export "for-ever") (loop $next (br $next)))
    (func (export "answer") (result i32) (i32.const 42)))"#;

const SOON: Duration = Duration::from_millis(100);

fn pid(vm: &MicroVm) -> Pid {
    Pid::from_raw(vm.worker().unwrap().cast_signed()).unwrap()
}

/// A VM with a module in it, whose worker is stopped.
fn stopped(setup: Setup) -> (MicroVm, Instance, Pid) {
    let mut vm = worker(setup);
    let instance = instantiate(&mut vm, MODULE);
    vm.set_deadline(None);
    let pid = pid(&vm);
    kill_process(pid, Signal::STOP).unwrap();
    (vm, instance, pid)
}

#[track_caller]
fn is_gone(pid: Pid, what: &str) {
    assert!(test_kill_process(pid).is_err(), "{what}: the worker is still there");
}

/// The VM refuses to work until it is reset, and then works.
#[track_caller]
fn is_good_after_a_reset(vm: &mut MicroVm, instance: Instance, what: &str) {
    vm.set_deadline(None);
    let again = call(vm, instance, "answer", &[]).unwrap_err();
    assert!(matches!(again, Error::Ended(VmEnd::Worker(_))), "{what}: {again}");
    vm.reset().unwrap_or_else(|error| panic!("{what}: {error}"));
    vm.set_deadline(Some(Instant::now() + HANG));
    let instance = instantiate(vm, MODULE);
    assert_eq!(call(vm, instance, "answer", &[]).unwrap(), [Value::I32(42)], "{what}");
}

#[test]
fn a_call_ends_soon_after_its_deadline() {
    for setup in matrix() {
        let (mut vm, instance, pid) = stopped(setup);
        vm.set_deadline(Some(Instant::now() + SOON));
        let ended = call(&mut vm, instance, "answer", &[]).unwrap_err();
        let timed_out = Interruption::TimedOut;
        assert!(matches!(ended, Error::Interrupted(why) if why == timed_out), "{setup}: {ended}");
        is_gone(pid, &setup.to_string());
        is_good_after_a_reset(&mut vm, instance, &setup.to_string());
    }
}

#[test]
fn a_call_without_a_deadline_ends_soon_after_it_is_cancelled() {
    for setup in matrix() {
        for early in [true, false] {
            let (mut vm, instance, pid) = stopped(setup);
            let handle = vm.cancel_handle();
            let canceller = thread::spawn(move || {
                if !early {
                    thread::sleep(SOON);
                }
                handle.cancel()
            });
            if early {
                thread::sleep(SOON);
            }
            let ended = call(&mut vm, instance, "answer", &[]).unwrap_err();
            assert!(canceller.join().unwrap());
            let why = Interruption::Cancelled;
            assert!(matches!(ended, Error::Interrupted(is) if is == why), "{setup}: {ended}");
            if !early {
                is_gone(pid, &setup.to_string());
                is_good_after_a_reset(&mut vm, instance, &setup.to_string());
            }
        }
    }
}

/// More than any socket holds is to be sent to it.
#[test]
fn one_that_does_not_read_is_not_written_to_without_end() {
    let bytes = vec![7; 100 << 20];
    for setup in matrix() {
        let (mut vm, instance, pid) = {
            let mut vm = worker(setup);
            let instance = instantiate(&mut vm, MODULE);
            let pid = pid(&vm);
            (vm, instance, pid)
        };
        let memory = vm.memory(instance, "memory").unwrap();
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            kill_process(pid, Signal::STOP).unwrap();
        });
        vm.set_deadline(Some(Instant::now() + SOON));
        let mut ended = Ok(());
        // Until it is stopped.
        while ended.is_ok() {
            ended = vm.write_memory(memory, 0, &bytes);
        }
        stopper.join().unwrap();
        let ended = ended.unwrap_err();
        let timed_out = Interruption::TimedOut;
        assert!(matches!(ended, Error::Interrupted(why) if why == timed_out), "{setup}: {ended}");
        is_gone(pid, &setup.to_string());
        is_good_after_a_reset(&mut vm, instance, &setup.to_string());
    }
}

#[test]
fn it_ends_with_its_vm() {
    for setup in matrix() {
        let (vm, _, pid) = stopped(setup);
        drop(vm);
        is_gone(pid, &setup.to_string());
    }
}

#[test]
fn a_reset_replaces_it() {
    for setup in matrix() {
        let (mut vm, _, pid) = stopped(setup);
        vm.reset().unwrap_or_else(|error| panic!("{setup}: {error}"));
        is_gone(pid, &setup.to_string());
        let instance = instantiate(&mut vm, MODULE);
        assert_eq!(call(&mut vm, instance, "answer", &[]).unwrap(), [Value::I32(42)], "{setup}");
    }
}

/// Its snapshot is gone with it, which is an error of the restore and of nothing else.
#[test]
fn a_restore_of_one_that_is_gone_fails_and_a_reset_does_not() {
    for setup in matrix() {
        let mut vm = worker(setup);
        let instance = instantiate(&mut vm, MODULE);
        let snapshot = vm.snapshot().unwrap();
        kill_process(pid(&vm), Signal::KILL).unwrap();
        for _ in 0..2 {
            let error = vm.restore(&snapshot, WasiConfig::new()).unwrap_err();
            assert!(matches!(error, Error::Ended(VmEnd::Worker(_))), "{setup}: {error}");
        }
        is_good_after_a_reset(&mut vm, instance, &setup.to_string());
        let error = vm.restore(&snapshot, WasiConfig::new()).unwrap_err().to_string();
        assert!(error.contains("of itself alone"), "{setup}: {error}");
    }
}

/// A program that takes its sockets and says nothing.
#[test]
fn one_that_never_makes_its_machine_is_not_waited_for_without_end() {
    let directory = tempfile::tempdir().unwrap();
    let silent = directory.path().join("silent");
    std::fs::write(&silent, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&silent, std::fs::Permissions::from_mode(0o755)).unwrap();
    for setup in matrix() {
        let builder = setup.builder().worker(&silent).deadline(Some(Instant::now() + SOON));
        let error = builder.build().map(drop).unwrap_err();
        let timed_out = Interruption::TimedOut;
        assert!(matches!(error, Error::Interrupted(why) if why == timed_out), "{setup}: {error}");
    }
}

/// To Linux a process is a thread's child.
#[test]
fn the_thread_that_made_a_vm_may_end_before_it() {
    for setup in matrix() {
        let mut vm = thread::spawn(move || worker(setup)).join().unwrap();
        let instance = instantiate(&mut vm, MODULE);
        assert_eq!(call(&mut vm, instance, "answer", &[]).unwrap(), [Value::I32(42)], "{setup}");
    }
}

/// It was one message, of 64 MiB at most.
#[test]
fn output_of_any_size_is_captured() {
    // Writes a mebibyte 70 times, of the number of the time.
    const WRITE: &str = r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 17)
        (func (export "write") (result i32) (local $n i32)
            (i32.store (i32.const 0) (i32.const 65536))
            (i32.store (i32.const 4) (i32.const 1048576))
            (loop $next
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (memory.fill (i32.const 65536) (local.get $n) (i32.const 1048576))
                (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
                    (then (return (i32.const 1))))
                (br_if $next (i32.lt_u (local.get $n) (i32.const 70))))
            (i32.const 0)))"#;
    for setup in matrix() {
        let output = OutputBuffer::new(100 << 20);
        let world = WasiConfig::new()
            .stdin(Stdin::Bytes(vec![1; 20 << 20]))
            .stdout(Output::Capture(output.clone()));
        let mut vm = setup.in_worker().wasi(world).build().unwrap();
        vm.set_deadline(Some(Instant::now() + HANG));
        let instance = instantiate(&mut vm, WRITE);
        assert_eq!(call(&mut vm, instance, "write", &[]).unwrap(), [Value::I32(0)], "{setup}");
        let contents = output.contents();
        assert_eq!(contents.len(), 70 << 20, "{setup}");
        let pieces = contents.chunks(1 << 20).zip(1..);
        for (piece, number) in pieces {
            assert!(piece.iter().all(|byte| *byte == number), "{setup}: {number}");
        }
    }
}

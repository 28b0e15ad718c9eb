//! Deadlines.

use crate::{assert_works, instantiate, loops, run};
use std::time::{Duration, Instant};
use wrt_tests::{Setup, matrix};
use wrt_vm::error::Interruption;
use wrt_vm::world::Stdin;
use wrt_vm::{Error, MicroVm, Value, WasiConfig};

/// Long enough for a call to be under way when it comes, on most runs.
const SOON: Duration = Duration::from_millis(100);

/// Sleeps for an hour, by a clock; and reads a byte of standard input.
const WAITS: &str = r#"(module
    (import "wasi_snapshot_preview1" "poll_oneoff"
        (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "sleep") (result i32)
        ;; A subscription: userdata, tag 0 (a clock), clock 1 (monotonic), timeout in ns.
        (i32.store8 (i32.const 8) (i32.const 0))
        (i32.store (i32.const 16) (i32.const 1))
        (i64.store (i32.const 24) (i64.const 3600000000000))
        (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (func (export "wait-for-input") (result i32)
        ;; Tag 1: a descriptor that is to be readable; descriptor 0.
        (i32.store8 (i32.const 8) (i32.const 1))
        (i32.store (i32.const 16) (i32.const 0))
        (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
    (func (export "read") (result i32)
        (i32.store (i32.const 0) (i32.const 64))
        (i32.store (i32.const 4) (i32.const 1))
        (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 128))))"#;

#[track_caller]
fn assert_timed_out<T: std::fmt::Debug>(setup: Setup, result: &Result<T, Error>) {
    assert!(
        matches!(result, Err(Error::Interrupted(Interruption::TimedOut))),
        "{setup}: {result:?}"
    );
}

/// Resets a VM that was interrupted, and sees that it is none the worse.
fn assert_recovers(mut vm: MicroVm) {
    vm.reset().unwrap();
    assert_works(&mut vm);
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [_, for_ever] = loops(&mut vm);
        vm.set_deadline(Some(Instant::now() + SOON));
        assert_timed_out(setup, &vm.call(&for_ever, &[]));
        vm.set_deadline(None);
        let after = vm.call(&for_ever, &[]);
        assert!(matches!(after, Err(Error::Ended(_))), "{setup}: it needs a reset: {after:?}");
        assert_recovers(vm);
    }
}

#[test]
fn an_endless_start_function_ends_at_its_deadline() {
    for setup in matrix() {
        let mut vm = setup.vm();
        vm.set_deadline(Some(Instant::now() + SOON));
        let text = "(module (func $f (loop $next (br $next))) (start $f))";
        assert_timed_out(setup, &instantiate(&mut vm, text));
        assert_recovers(vm);
    }
}

#[test]
fn a_sleep_ends_at_its_deadline() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, WAITS).unwrap();
        vm.set_deadline(Some(Instant::now() + SOON));
        assert_timed_out(setup, &run(&mut vm, instance, "sleep"));
        assert_recovers(vm);
    }
}

#[test]
fn a_deadline_that_has_passed_stops_the_call_before_it_begins() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [count, _] = loops(&mut vm);
        for _ in 0..3 {
            vm.set_deadline(Some(Instant::now()));
            assert_timed_out(setup, &vm.call(&count, &[Value::I32(10)]));
        }
        // Nothing had run, so that the VM is as it was.
        vm.set_deadline(None);
        assert_eq!(vm.call(&count, &[Value::I32(10)]).unwrap(), [Value::I32(10)]);
    }
}

#[test]
fn a_deadline_that_was_met_does_no_harm_later() {
    for setup in matrix() {
        // A call is soon over, but how soon is the machine's affair.
        let in_time = |time| {
            let mut vm = setup.vm();
            let [count, _] = loops(&mut vm);
            let deadline = Instant::now() + time;
            vm.set_deadline(Some(deadline));
            match vm.call(&count, &[Value::I32(10)]) {
                Ok(_) => Some((vm, count, deadline)),
                Err(Error::Interrupted(Interruption::TimedOut)) => None,
                Err(other) => panic!("{setup}: {other}"),
            }
        };
        let mut times = (0..8).map(|doubled| SOON * (1 << doubled));
        let (mut vm, count, deadline) = times.find_map(in_time).expect("the deadline is met");
        vm.set_deadline(None);
        // Into the time after it.
        while Instant::now() < deadline + SOON {
            let answer = vm.call(&count, &[Value::I32(100_000)]).unwrap();
            assert_eq!(answer, [Value::I32(100_000)], "{setup}");
        }
    }
}

#[test]
fn waiting_for_input_that_never_comes_ends_at_its_deadline() {
    crate::alone::run("time::with_a_silent_stdin");
}

#[test]
#[ignore = "needs a standard input that stays silent: run by another test"]
fn with_a_silent_stdin() {
    for setup in matrix() {
        for function in ["read", "wait-for-input"] {
            let wasi = WasiConfig::new().stdin(Stdin::Inherit);
            let mut vm = setup.builder().wasi(wasi).build().unwrap();
            let instance = instantiate(&mut vm, WAITS).unwrap();
            vm.set_deadline(Some(Instant::now() + SOON));
            assert_timed_out(setup, &run(&mut vm, instance, function));
            assert_recovers(vm);
        }
    }
}

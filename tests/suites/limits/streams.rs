//! Output that nobody reads, and output that is more than there may be.

use crate::{assert_works, instantiate, run};
use std::thread;
use std::time::{Duration, Instant};
use wrt_tests::{HANG, Setup, matrix};
use wrt_vm::error::Interruption;
use wrt_vm::vm::Builder;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Error, Value, WasiConfig};

/// Writes 64 KiB to standard error, again and again; 10 bytes once.
const WRITES: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 0) "\10\00\00\00\00\00\01\00\10\00\00\00\0a\00\00\00")
    (func (export "flood") (result i32)
        (loop $again
            (br_if $again (i32.eqz
                (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))))
        (i32.const 1))
    (func (export "ten") (result i32)
        (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 32)))
    (func (export "ten-elsewhere") (result i32)
        (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 32))))"#;

/// VMs of a setup in this process, and in one of their own.
fn builders(setup: Setup) -> [Builder; 2] {
    [setup.builder(), setup.in_worker()]
}

#[test]
fn output_that_is_not_read_ends_with_its_call() {
    crate::alone::run_unread("streams::with_a_standard_error_that_is_not_read");
}

#[test]
#[ignore = "needs a standard error that is not read: run by another test"]
fn with_a_standard_error_that_is_not_read() {
    for setup in matrix() {
        for builder in builders(setup) {
            let mut vm = builder.wasi(WasiConfig::new().stderr(Output::Inherit)).build().unwrap();
            let instance = instantiate(&mut vm, WRITES).unwrap();
            vm.set_deadline(Some(Instant::now() + Duration::from_millis(100)));
            let ended = run(&mut vm, instance, "flood");
            let timed_out = matches!(ended, Err(Error::Interrupted(Interruption::TimedOut)));
            assert!(timed_out, "{setup}: {ended:?}");
            vm.set_deadline(None);
            vm.reset().unwrap();

            let instance = instantiate(&mut vm, WRITES).unwrap();
            let flood = vm.function(instance, "flood").unwrap();
            vm.set_deadline(Some(Instant::now() + HANG));
            let handle = vm.cancel_handle();
            let canceller = thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                handle.cancel()
            });
            let ended = vm.call(&flood, &[]);
            let cancelled = matches!(ended, Err(Error::Interrupted(Interruption::Cancelled)));
            assert!(cancelled, "{setup}: {ended:?}");
            assert!(canceller.join().unwrap());
            vm.set_deadline(None);
            vm.reset().unwrap();
            assert_works(&mut vm);
        }
    }
}

#[test]
fn a_buffer_that_is_full_ends_the_program_with_an_error_of_its_own() {
    for setup in matrix() {
        for builder in builders(setup) {
            let buffer = OutputBuffer::new(25);
            let world = WasiConfig::new().stderr(Output::Capture(buffer.clone()));
            let mut vm = builder.wasi(world).build().unwrap();
            let instance = instantiate(&mut vm, WRITES).unwrap();
            for _ in 0..2 {
                assert_eq!(run(&mut vm, instance, "ten").unwrap(), [Value::I32(0)], "{setup}");
            }
            let ended = run(&mut vm, instance, "ten");
            let full = matches!(ended, Err(Error::OutputLimit { limit: 25 }));
            assert!(full, "{setup}: {ended:?}");
            assert_eq!(buffer.contents().len(), 25, "{setup}: what fits is kept");
            vm.reset_with(WasiConfig::new()).unwrap();
            assert_works(&mut vm);
        }
    }
}

#[test]
fn a_limit_of_output_holds_for_both_streams_together() {
    for setup in matrix() {
        for builder in builders(setup) {
            let buffer = OutputBuffer::new(1000);
            let world = WasiConfig::new().stderr(Output::Capture(buffer.clone())).max_output(25);
            let mut vm = builder.wasi(world).build().unwrap();
            let instance = instantiate(&mut vm, WRITES).unwrap();
            for function in ["ten", "ten-elsewhere"] {
                assert_eq!(run(&mut vm, instance, function).unwrap(), [Value::I32(0)], "{setup}");
            }
            let ended = run(&mut vm, instance, "ten");
            let full = matches!(ended, Err(Error::OutputLimit { limit: 25 }));
            assert!(full, "{setup}: {ended:?}");
            assert_eq!(buffer.contents().len(), 15, "{setup}: what fits is kept");
            // The next program has as much.
            vm.reset().unwrap();
            let instance = instantiate(&mut vm, WRITES).unwrap();
            assert_eq!(run(&mut vm, instance, "ten").unwrap(), [Value::I32(0)], "{setup}");
        }
    }
}

#[test]
fn a_program_that_was_refused_memory_can_be_told() {
    let text = r#"(module (memory (export "memory") 1)
        (func (export "grow") (result i32) (memory.grow (i32.const 100))))"#;
    for setup in matrix() {
        for builder in builders(setup) {
            let mut vm = builder.max_memory(1 << 20).build().unwrap();
            let instance = instantiate(&mut vm, text).unwrap();
            assert!(!vm.usage().memory_refused, "{setup}");
            assert_eq!(run(&mut vm, instance, "grow").unwrap(), [Value::I32(-1)], "{setup}");
            assert!(vm.usage().memory_refused, "{setup}");
            vm.reset().unwrap();
            assert_works(&mut vm);
            assert!(!vm.usage().memory_refused, "{setup}: the next program was not");
        }
    }
}

#[test]
fn a_call_after_all_are_cancelled_ends_as_it_begins() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [count, _] = crate::loops(&mut vm);
        vm.cancel_handle().cancel_all();
        for _ in 0..3 {
            let ended = vm.call(&count, &[Value::I32(1)]);
            let cancelled = matches!(ended, Err(Error::Interrupted(Interruption::Cancelled)));
            assert!(cancelled, "{setup}: {ended:?}");
        }
    }
}

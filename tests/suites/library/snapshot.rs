//! Guests that others go on from.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

use crate::{call, instantiate, try_instantiate};
use wrt_tests::{Setup, matrix};
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Error, Module, Snapshot, Value, WasiConfig};

/// Setups in which other VMs go on from a snapshot, too; says which are none.
pub(crate) fn sharing() -> impl Iterator<Item = Setup> {
    matrix().into_iter().filter(|setup| {
        let apart = setup.is_in_workers();
        if apart {
            eprintln!("skipped: {setup} is in workers, whose snapshots are for their own VM");
        }
        !apart
    })
}

/// Counts in a global and in two memories, one of them far out, and says what it is in.
const COUNTER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 100)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00hello")
    (global $count (mut i32) (i32.const 0))
    (table 4 funcref)
    (elem (i32.const 2) $next)
    (type $counts (func (result i32)))
    (func $next (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store (i32.const 6000000)
            (i32.add (i32.load (i32.const 6000000)) (i32.const 10)))
        (i32.add (global.get $count) (i32.load (i32.const 6000000))))
    (func (export "next") (result i32) (call_indirect (type $counts) (i32.const 2)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 6) (local.get 0)))
    (func (export "hello") (result i32)
        (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16))))"#;

/// A guest that has counted twice.
fn counted_twice(setup: Setup) -> (wrt_vm::MicroVm, wrt_vm::vm::Instance, Snapshot) {
    let mut vm = setup.vm();
    let instance = instantiate(&mut vm, COUNTER);
    assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(11)], "{setup}");
    assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(22)], "{setup}");
    let snapshot = vm.snapshot().unwrap();
    (vm, instance, snapshot)
}

#[test]
fn each_goes_on_by_itself() {
    for setup in sharing() {
        let (mut vm, instance, snapshot) = counted_twice(setup);
        let next = vm.function(instance, "next").unwrap();
        let mut others = [(); 3].map(|()| snapshot.vm(WasiConfig::new()).unwrap());
        for count in 3..6 {
            assert_eq!(vm.call(&next, &[]).unwrap(), [Value::I32(count * 11)], "{setup}");
        }
        for other in &mut others {
            for count in 3..5 {
                let next = call(other, instance, "next", &[]).unwrap();
                assert_eq!(next, [Value::I32(count * 11)], "{setup}");
            }
            assert_eq!(call(other, instance, "grow", &[Value::I32(5)]).unwrap(), [Value::I32(100)]);
            let error = call(other, instance, "divide", &[Value::I32(0)]).unwrap_err();
            assert!(matches!(error, Error::Trap(_)), "{setup}: {error}");
            // Another module beside it.
            let second = instantiate(other, COUNTER);
            assert_eq!(call(other, second, "next", &[]).unwrap(), [Value::I32(11)], "{setup}");
        }
        drop(vm);
        assert_eq!(call(&mut others[2], instance, "next", &[]).unwrap(), [Value::I32(55)]);
    }
}

#[test]
fn one_vm_goes_back_to_it_again_and_again() {
    for setup in matrix() {
        let (mut vm, instance, snapshot) = counted_twice(setup);
        let memory = vm.memory(instance, "memory").unwrap();
        for round in 0..4 {
            vm.restore(&snapshot, WasiConfig::new()).unwrap();
            assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(33)], "{setup}");
            if round == 2 {
                // Whatever is in there.
                vm.reset().unwrap();
                let other = instantiate(&mut vm, "(module (memory (export \"m\") 50))");
                vm.memory(other, "m").unwrap();
            }
            assert!(vm.memory_size(memory).is_err(), "{setup}: a handle that came after it");
        }
        // And to one of what it was before that.
        let later = vm.snapshot();
        assert!(later.is_ok(), "{setup}");
    }
}

#[test]
fn a_world_of_its_own() {
    for setup in sharing() {
        let (_, instance, snapshot) = counted_twice(setup);
        let outputs = [(); 2].map(|()| OutputBuffer::new(100));
        for output in &outputs {
            let world = WasiConfig::new().stdout(Output::Capture(output.clone()));
            let mut vm = snapshot.vm(world).unwrap();
            assert_eq!(call(&mut vm, instance, "hello", &[]).unwrap(), [Value::I32(0)], "{setup}");
        }
        assert!(outputs.iter().all(|output| &output.contents()[..] == b"hello"), "{setup}");
    }
    for setup in matrix() {
        let (mut vm, instance, snapshot) = counted_twice(setup);
        for _ in 0..2 {
            let output = OutputBuffer::new(100);
            let world = WasiConfig::new().stdout(Output::Capture(output.clone()));
            vm.restore(&snapshot, world).unwrap();
            assert_eq!(call(&mut vm, instance, "hello", &[]).unwrap(), [Value::I32(0)], "{setup}");
            assert_eq!(&output.contents()[..], b"hello", "{setup}");
        }
    }
}

#[test]
fn after_a_trap_in_the_vm_or_its_end_the_snapshot_is_as_good() {
    for setup in matrix() {
        let (mut vm, instance, snapshot) = counted_twice(setup);
        call(&mut vm, instance, "divide", &[Value::I32(0)]).unwrap_err();
        vm.cancel_handle().cancel();
        let interrupted = call(&mut vm, instance, "next", &[]).unwrap_err();
        assert!(matches!(interrupted, Error::Interrupted(_)), "{setup}");
        vm.restore(&snapshot, WasiConfig::new()).unwrap();
        assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(33)], "{setup}");
    }
}

#[test]
fn a_snapshot_of_nothing_and_for_another_engine_is_refused() {
    for setup in matrix() {
        let mut empty = setup.vm();
        let error = empty.snapshot().map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("load a module"), "{setup}: {error}");

        let (_, _, snapshot) = counted_twice(setup);
        let mut other = setup.builder().kernel_stack(512 << 10).build().unwrap();
        let error = other.restore(&snapshot, WasiConfig::new()).unwrap_err();
        let why = if setup.is_in_workers() { "of itself alone" } else { "stack" };
        assert!(error.to_string().contains(why), "{setup}: {error}");
        // It goes on as it is.
        let instance = instantiate(&mut other, COUNTER);
        assert_eq!(call(&mut other, instance, "next", &[]).unwrap(), [Value::I32(11)], "{setup}");
    }
}

#[test]
fn a_guest_goes_on_from_one_that_went_on() {
    for setup in sharing() {
        let (_, instance, first) = counted_twice(setup);
        let mut second = first.vm(WasiConfig::new()).unwrap();
        call(&mut second, instance, "next", &[]).unwrap();
        let kept = second.snapshot().unwrap();
        drop((first, second));
        let mut third = kept.vm(WasiConfig::new()).unwrap();
        // Nothing has run in it yet.
        let same = third.snapshot().unwrap();
        assert_eq!(same.size(), kept.size(), "{setup}");
        third = same.vm(WasiConfig::new()).unwrap();
        assert_eq!(call(&mut third, instance, "next", &[]).unwrap(), [Value::I32(44)], "{setup}");
        let fresh = try_instantiate(&mut third, "(module (func (export \"f\")))").unwrap();
        assert!(call(&mut third, fresh, "f", &[]).unwrap().is_empty());
    }
}

/// What others share is little: pages that hold anything, once.
#[test]
fn zeros_are_not_kept() {
    for setup in sharing() {
        let mut vm = setup.vm();
        let module = Module::from_text("(module (memory (export \"memory\") 16000))").unwrap();
        let loaded = vm.load(&module).unwrap();
        vm.instantiate(loaded).unwrap();
        let size = vm.snapshot().unwrap().size().expect("it is in this process");
        assert!(size < 16 << 20, "{setup}: {size} bytes for a memory of 1 GB of zeros");
    }
}

//! VMs in worker processes: many at once, and what becomes of one is its own affair.
//!
//! The other suites run in workers too, where a backend needs them, and elsewhere with
//! `WRT_WORKERS=1` set.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]

mod death;
mod errors;
mod placement;
mod stopped;
mod world;

use std::time::Instant;
use wrt_tests::{HANG, Setup, matrix};
use wrt_vm::vm::Instance;
use wrt_vm::{Error, MicroVm, Module, Value, WasiConfig};

/// A VM in a worker.
fn worker(setup: Setup) -> MicroVm {
    let mut vm = setup.in_worker().build().unwrap_or_else(|e| panic!("{setup}: {e}"));
    assert!(vm.worker().is_some(), "{setup}");
    vm.set_deadline(Some(Instant::now() + HANG));
    vm
}

fn instantiate(vm: &mut MicroVm, text: &str) -> Instance {
    let loaded = vm.load(&Module::from_text(text).unwrap()).unwrap();
    vm.instantiate(loaded).unwrap()
}

fn call(
    vm: &mut MicroVm,
    instance: Instance,
    name: &str,
    values: &[Value],
) -> Result<Vec<Value>, Error> {
    let function = vm.function(instance, name)?;
    vm.call(&function, values)
}

const SUM: &str = r#"(module (memory (export "memory") 80)
    (func (export "sum") (param $n i64) (result i64) (local $sum i64)
        (loop $next
            (local.set $sum (i64.add (local.get $sum) (local.get $n)))
            (local.set $n (i64.sub (local.get $n) (i64.const 1)))
            (br_if $next (i64.ne (local.get $n) (i64.const 0))))
        (local.get $sum)))"#;

#[test]
fn ten_work_at_once() {
    for setup in matrix() {
        let mut vms: Vec<MicroVm> = (0..10).map(|_| worker(setup)).collect();
        let mut processes: Vec<u32> = vms.iter().filter_map(MicroVm::worker).collect();
        processes.dedup();
        assert_eq!(processes.len(), 10, "{setup}: a process each");
        std::thread::scope(|scope| {
            for (number, vm) in (1..).zip(&mut vms) {
                scope.spawn(move || {
                    let instance = instantiate(vm, SUM);
                    for round in 1..20 {
                        let n: i64 = number * 1000 + round;
                        let sum = call(vm, instance, "sum", &[Value::I64(n)]).unwrap();
                        assert_eq!(sum, [Value::I64(n * (n + 1) / 2)], "{setup}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_worker_goes_back_to_its_last_snapshot() {
    const COUNT: &str = r#"(module (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (global.get $n)))"#;
    for setup in matrix() {
        let mut vm = worker(setup);
        let error = vm.snapshot().map(drop).unwrap_err();
        assert!(error.to_string().contains("load a module"), "{setup}: {error}");
        let instance = instantiate(&mut vm, COUNT);
        let first = vm.snapshot().unwrap();
        for round in 1..4 {
            assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(1)], "{setup}");
            assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(2)], "{setup}");
            vm.restore(&first, WasiConfig::new())
                .unwrap_or_else(|e| panic!("{setup} {round}: {e}"));
        }
        call(&mut vm, instance, "next", &[]).unwrap();
        let second = vm.snapshot().unwrap();
        let mut other = worker(setup);
        for (vm, snapshot) in [(&mut vm, &first), (&mut other, &second)] {
            let error = vm.restore(snapshot, WasiConfig::new()).unwrap_err();
            assert!(error.to_string().contains("of itself alone"), "{setup}: {error}");
        }
        assert!(second.vm(WasiConfig::new()).is_err() && second.size().is_none(), "{setup}");
        vm.restore(&second, WasiConfig::new()).unwrap();
        assert_eq!(call(&mut vm, instance, "next", &[]).unwrap(), [Value::I32(2)], "{setup}");
    }
}

#[test]
fn memory_is_copied_in_pieces_and_in_order() {
    for setup in matrix() {
        let mut vm = worker(setup);
        let instance = instantiate(&mut vm, SUM);
        let memory = vm.memory(instance, "memory").unwrap();
        let pattern: Vec<u8> = (0..3_000_001_u32).map(|i| (i % 251) as u8).collect();
        vm.write_memory(memory, 77, &pattern).unwrap();
        let mut back = vec![0; pattern.len() + 2];
        vm.read_memory(memory, 76, &mut back).unwrap();
        assert!(back[1..=pattern.len()] == pattern, "{setup}");
        assert_eq!((back[0], back[pattern.len() + 1]), (0, 0), "{setup}");
        assert!(vm.read_memory(memory, 80 << 16, &mut [0]).is_err(), "{setup}: past its end");
    }
}

#[test]
fn a_worker_that_cannot_be_is_an_error_that_says_so() {
    for setup in matrix() {
        let missing = setup.builder().worker("/nonexistent/wrt-vm").build();
        let error = missing.map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::Worker(_)), "{setup}: {error}");
        assert!(error.to_string().contains("/nonexistent/wrt-vm"), "{setup}: {error}");
        // A program that is no worker.
        let error = setup.builder().worker("/bin/true").build().map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("worker process failed"), "{setup}: {error}");
    }
}

//! Many VMs: one after another, and at once.

use crate::{assert_works, instantiate, run};
use std::fs;
use std::sync::Barrier;
use std::thread;
use wrt_tests::{Setup, matrix};
use wrt_vm::{MicroVm, Value};

/// Uses memory of all kinds, in a VM that is as new.
fn use_memory(vm: &mut MicroVm) {
    let text = r#"(module (memory 32)
        (func (export "f") (result i32)
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))
            (memory.grow (i32.const 1))))"#;
    let instance = instantiate(vm, text).unwrap();
    assert_eq!(run(vm, instance, "f").unwrap(), [Value::I32(32)]);
}

/// Does something a thousand times and compares what this process holds before and after.
fn assert_leaves_nothing(setup: Setup, mut once: impl FnMut()) {
    // The first ones start threads and fill caches that stay.
    for _ in 0..50 {
        once();
    }
    let before = Held::now();
    for _ in 0..1000 {
        once();
    }
    let after = Held::now();
    println!("{setup}: {before:?}, then {after:?}");
    assert_eq!(after.descriptors, before.descriptors, "{setup}: descriptors");
    assert_eq!(after.threads, before.threads, "{setup}: threads");
    assert!(after.mappings < before.mappings + 100, "{setup}: {before:?}, then {after:?}");
    // A leak of one page each time would be 4 MiB, of the memory used 1 GiB.
    let grown = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(grown < 3 * 1024, "{setup}: {before:?}, then {after:?}");
}

#[test]
fn a_thousand_vms_one_after_another_leave_nothing_behind() {
    crate::alone::run("many::a_thousand_vms");
}

#[test]
#[ignore = "counts what its whole process holds: run by another test"]
fn a_thousand_vms() {
    for setup in matrix() {
        assert_leaves_nothing(setup, || use_memory(&mut setup.vm()));
    }
}

#[test]
fn a_thousand_resets_leave_nothing_behind() {
    crate::alone::run("many::a_thousand_resets");
}

#[test]
#[ignore = "counts what its whole process holds: run by another test"]
fn a_thousand_resets() {
    for setup in matrix() {
        let mut vm = setup.vm();
        assert_leaves_nothing(setup, || {
            use_memory(&mut vm);
            vm.reset().unwrap();
        });
    }
}

/// What this process holds of the system's.
#[derive(Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    mappings: usize,
    resident_kib: u64,
}

impl Held {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kib = line.trim().trim_end_matches(" kB").parse().unwrap();
        Self {
            descriptors: fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: fs::read_dir("/proc/self/task").unwrap().count(),
            mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(),
            resident_kib,
        }
    }
}

#[test]
fn fifty_vms_at_once_do_not_disturb_each_other() {
    const VMS: usize = 50;
    for setup in matrix() {
        let all_there = Barrier::new(VMS);
        thread::scope(|scope| {
            for number in 0..VMS {
                let all_there = &all_there;
                scope.spawn(move || {
                    let mut vm = setup.vm();
                    let text = format!(
                        r#"(module (memory (export "memory") 32)
                            (func (export "mine") (result i32) (i32.const {number}))
                            (func (export "fill") (memory.fill
                                (i32.const 0) (i32.const {number}) (i32.const 0x100000))))"#
                    );
                    let instance = instantiate(&mut vm, &text).unwrap();
                    let memory = vm.memory(instance, "memory").unwrap();
                    run(&mut vm, instance, "fill").unwrap();
                    // From here on all of them live.
                    all_there.wait();
                    for _ in 0..10 {
                        let answer = run(&mut vm, instance, "mine").unwrap();
                        assert_eq!(answer, [Value::I32(number as i32)]);
                    }
                    all_there.wait();
                    let mut bytes = vec![0; 1 << 20];
                    vm.read_memory(memory, 0, &mut bytes).unwrap();
                    assert!(bytes.iter().all(|byte| *byte == number as u8), "{setup}: {number}");
                    assert_works(&mut vm);
                });
            }
        });
    }
}

/// A hypervisor may tie a VM to a thread; that is not its users' business.
#[test]
fn a_vm_is_made_used_reset_and_dropped_by_a_thread_each() {
    for setup in matrix() {
        let mut vm = thread::spawn(move || setup.vm()).join().unwrap();
        for _ in 0..3 {
            vm = thread::spawn(move || {
                assert_works(&mut vm);
                vm
            })
            .join()
            .unwrap();
            vm = thread::spawn(move || {
                vm.reset().unwrap();
                vm
            })
            .join()
            .unwrap();
        }
        thread::spawn(move || drop(vm)).join().unwrap();
    }
}

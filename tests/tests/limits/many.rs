//! Many VMs: one after another, and at once.

use crate::{assert_works, instantiate, run};
use std::fs;
use std::sync::Barrier;
use std::thread;
use wrt_tests::{Setup, matrix};
use wrt_vm::Value;

/// Makes a VM, uses some memory in it, and drops it.
fn one_life(setup: Setup) {
    let mut vm = setup.vm();
    let text = r#"(module (memory 32)
        (func (export "f") (result i32)
            (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))
            (memory.grow (i32.const 1))))"#;
    let instance = instantiate(&mut vm, text).unwrap();
    assert_eq!(run(&mut vm, instance, "f").unwrap(), [Value::I32(32)]);
}

#[test]
fn a_thousand_vms_one_after_another_leave_nothing_behind() {
    crate::alone::run("many::a_thousand_lives");
}

#[test]
#[ignore = "counts what its whole process holds: run by another test"]
fn a_thousand_lives() {
    for setup in matrix() {
        // The first ones start threads and fill caches that stay.
        for _ in 0..50 {
            one_life(setup);
        }
        let before = Held::now();
        for _ in 0..1000 {
            one_life(setup);
        }
        let after = Held::now();
        println!("{setup}: {before:?}, then {after:?}");
        assert_eq!(after.descriptors, before.descriptors, "{setup}: descriptors");
        assert_eq!(after.threads, before.threads, "{setup}: threads");
        // A leak of one page for each VM would be 4 MiB, of its memory 1 GiB.
        assert!(
            after.resident_kib < before.resident_kib + 3 * 1024,
            "{setup}: from {before:?} to {after:?}"
        );
        assert!(after.mappings < before.mappings + 100, "{setup}: {before:?} to {after:?}");
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
        let live = |vm: &mut wrt_vm::MicroVm| {
            let text = r#"(module (memory 32) (func (export "f") (result i32)
                (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000))
                (memory.grow (i32.const 1))))"#;
            let instance = instantiate(vm, text).unwrap();
            assert_eq!(run(vm, instance, "f").unwrap(), [Value::I32(32)]);
            vm.reset().unwrap();
        };
        for _ in 0..50 {
            live(&mut vm);
        }
        let before = Held::now();
        for _ in 0..1000 {
            live(&mut vm);
        }
        let after = Held::now();
        println!("{setup}: {before:?}, then {after:?}");
        assert_eq!(after.descriptors, before.descriptors, "{setup}: descriptors");
        assert!(
            after.resident_kib < before.resident_kib + 3 * 1024,
            "{setup}: from {before:?} to {after:?}"
        );
        assert!(after.mappings < before.mappings + 100, "{setup}: {before:?} to {after:?}");
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

//! The `hvf` backend over the simulated framework, in this very process: what an exit costs, and
//! what becomes of a VM when any call of the framework fails.
//!
//! What guests do on this backend is tested by the suites of `tests/suites`, in worker processes.

use applevisor_sys::hv_error_t;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use wrt_hvsim::{Counters, count_instructions, counters, fail, forgive};
use wrt_vm::hypervisor::available;
use wrt_vm::{Backend, EngineKind, Error, MicroVm, Module, Value};

/// A process has one VM, so that tests take turns.
fn exclusively() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn vm() -> Result<MicroVm, Error> {
    MicroVm::builder().backend(Backend::Hvf).engine(EngineKind::Interp).build()
}

/// Calls the host, or grows its memory, as often as it is told.
const WORK: &str = r#"(module
    (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
    (memory (export "memory") 1)
    (func (export "yield") (param i32)
        (loop $again
            (drop (call $yield))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "grow") (param i32)
        (loop $again
            (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
            (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "trap") unreachable))"#;

fn work() -> Module {
    Module::from_text(WORK).expect("a module")
}

/// Exits, and instructions at EL1, of 32 more rounds of a function.
fn cost(name: &str) -> (u64, u64) {
    const ROUNDS: i32 = 32;
    count_instructions();
    let mut vm = vm().expect("the simulation makes VMs");
    let loaded = vm.load(&work()).expect("it is valid");
    let instance = vm.instantiate(loaded).expect("it has its imports");
    let function = vm.function(instance, name).expect("it is exported");
    let mut cost = |rounds| {
        let before = counters();
        assert_eq!(vm.call(&function, &[Value::I32(rounds)]).expect("it works"), []);
        let Counters { exits, privileged, .. } = counters();
        (exits - before.exits, privileged - before.privileged)
    };
    // The first call alone has the host map what the function touches.
    cost(1);
    let (few, many) = (cost(1), cost(1 + ROUNDS));
    (many.0 - few.0, many.1 - few.1)
}

/// The whole way of a call through the stub: eight instructions with the `hvc`, three behind it.
#[test]
fn a_host_call_is_one_exit_and_eleven_instructions_at_el1() {
    let _alone = exclusively();
    assert_eq!(cost("yield"), (32, 32 * 11));
}

/// The way back has the upkeep of translations in it: six instructions more. The host is asked
/// for more than a module asks for, so that not every growth is an exit.
#[test]
fn growth_is_an_exit_at_most_and_seventeen_instructions_at_el1() {
    let _alone = exclusively();
    let (exits, instructions) = cost("grow");
    assert!((1..=32).contains(&exits), "{exits} exits");
    assert_eq!(instructions, exits * 17);
}

/// All that a VM does with the framework: it is made, runs, traps, grows, is reset, and goes.
fn life() -> Result<(), Error> {
    let mut vm = vm()?;
    for _ in 0..2 {
        let loaded = vm.load(&work())?;
        let instance = vm.instantiate(loaded)?;
        for (name, rounds) in [("yield", 2), ("grow", 2)] {
            let function = vm.function(instance, name)?;
            vm.call(&function, &[Value::I32(rounds)])?;
        }
        let trap = vm.function(instance, "trap")?;
        match vm.call(&trap, &[]) {
            Err(Error::Trap(_)) => {}
            Err(other) => return Err(other),
            Ok(_) => panic!("it traps"),
        }
        vm.reset()?;
    }
    Ok(())
}

/// Each function that a VM calls fails once, at each of its calls in turn: the VM's owner is
/// told, and the next VM works.
#[test]
fn a_call_of_the_framework_that_fails_is_an_error_of_that_vm() {
    let _alone = exclusively();
    life().expect("nothing fails yet");
    const FUNCTIONS: [&str; 9] = [
        "hv_vm_config_set_ipa_size",
        "hv_vm_create",
        "hv_vm_map",
        "hv_vm_unmap",
        "hv_vcpu_create",
        "hv_vcpu_set_vtimer_mask",
        "hv_vcpu_set_sys_reg",
        "hv_vcpu_set_reg",
        "hv_vcpu_run",
    ];
    for function in FUNCTIONS {
        let mut failed = 0;
        loop {
            fail(function, failed, hv_error_t::HV_NO_RESOURCES);
            let outcome = life();
            if forgive(function) {
                outcome.expect("nothing failed");
                break;
            }
            failed += 1;
            let error = outcome.expect_err(function).to_string();
            assert!(error.contains("HV_NO_RESOURCES"), "{function}, call {failed}: {error}");
            if let Err(error) = life() {
                panic!("{function}, after call {failed} failed: {error}");
            }
        }
        assert!(failed > 0, "a VM calls {function}");
    }
}

/// Finding out makes a VM, of which a process has one.
#[test]
fn finding_out_what_works_is_in_nobodys_way() {
    let _alone = exclusively();
    let works = || available().iter().any(|it| it.backend == Backend::Hvf && it.problem.is_none());
    std::thread::scope(|scope| {
        let found: Vec<_> = (0..8).map(|_| scope.spawn(works)).collect();
        let vm = vm();
        assert!(vm.is_ok(), "{:?}", vm.err());
        assert!(works(), "beside a VM");
        assert!(found.into_iter().all(|works| works.join().expect("no panic")), "at once");
    });
}

/// What cannot be given back is not to be had again; nothing else comes of it.
#[test]
fn a_vm_that_cannot_be_destroyed_is_in_the_way_of_the_next() {
    let _alone = exclusively();
    for function in ["hv_vcpu_destroy", "hv_vm_destroy"] {
        let program = std::env::current_exe().expect("a test knows its program");
        let ran = Command::new(program)
            .args(["--exact", "undestroyed", "--ignored", "--nocapture"])
            .env("FUNCTION", function)
            .output()
            .expect("it starts");
        assert!(ran.status.success(), "{function}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// In a process of its own, which has no VM afterwards.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn undestroyed() {
    let function = match std::env::var("FUNCTION").as_deref() {
        Ok("hv_vcpu_destroy") => "hv_vcpu_destroy",
        _ => "hv_vm_destroy",
    };
    let vm = vm().expect("the simulation makes VMs");
    fail(function, 0, hv_error_t::HV_ERROR);
    drop(vm);
    assert!(!forgive(function), "it was called");
    let error = life().expect_err("the process has a VM").to_string();
    assert!(error.contains("a process has one at most"), "{error}");
}

//! The guest kernel's own stack: a program cannot make it grow.
//!
//! An interpreter that dispatched by calls would use native stack for every instruction or
//! every Wasm call. With a stack just large enough to load a real module and to begin, such
//! a one would soon be over.

mod dispatch;
mod host_calls;
mod instructions;

use crate::{HANG, instantiate, loops, run};
use std::path::Path;
use std::time::Instant;
use wrt_tests::{Setup, matrix};
use wrt_vm::error::TrapKind;
use wrt_vm::{Error, MicroVm, Module, Value, WasiConfig};

/// The least that can be had: a sixteenth of the default.
const SMALL: u64 = 16 << 10;

/// A program that has Rust's standard library in it, and uses files, collections, formatting.
const PROGRAM: &str = "std_files";

fn with_stack(setup: Setup, bytes: u64) -> MicroVm {
    let mut vm = setup.builder().kernel_stack(bytes).build().unwrap();
    vm.set_deadline(Some(Instant::now() + HANG));
    vm
}

fn run_program(vm: &mut MicroVm, module: &Module) -> Result<(), Error> {
    let scratch = tempfile::tempdir().unwrap();
    vm.reset_with(WasiConfig::new().arg(PROGRAM).dir(scratch.path(), "/"))?;
    let loaded = vm.load(module)?;
    let instance = vm.instantiate(loaded)?;
    let start = vm.function(instance, "_start")?;
    match vm.call(&start, &[]) {
        Ok(_) | Err(Error::Exit(0)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn program() -> Module {
    let programs = wrt_tests::programs::build(Path::new(env!("CARGO_TARGET_TMPDIR")));
    Module::from_file(programs.join(PROGRAM).with_extension("wasm")).unwrap()
}

#[test]
fn a_small_stack_is_enough_for_a_real_program() {
    let setups = matrix();
    if setups.is_empty() {
        return;
    }
    let module = program();
    for setup in setups {
        let mut vm = with_stack(setup, SMALL);
        run_program(&mut vm, &module).unwrap_or_else(|error| panic!("{setup}: {error}"));
    }
}

#[test]
fn neither_many_instructions_nor_deep_calls_use_it_up() {
    for setup in matrix() {
        let mut vm = with_stack(setup, SMALL);
        // Four instructions a round.
        let [count, _] = loops(&mut vm);
        let rounds = Value::I32(50_000_000 / 4);
        assert_eq!(vm.call(&count, &[rounds]).unwrap(), [rounds], "{setup}");

        let text = r#"(module
            (type $step (func (param i32) (result i32)))
            (table funcref (elem $by-table))
            (func $direct (export "direct") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1)
                        (call $direct (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0))))
            (func $by-table (export "by-table") (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call_indirect (type $step)
                        (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))))
                    (else (i32.const 0)))))"#;
        let instance = instantiate(&mut vm, text).unwrap();
        for name in ["direct", "by-table"] {
            let function = vm.function(instance, name).unwrap();
            let deep = Value::I32(15_000);
            assert_eq!(vm.call(&function, &[deep]).unwrap(), [deep], "{setup}: {name}");
            let error = vm.call(&function, &[Value::I32(i32::MAX)]).unwrap_err();
            assert!(
                matches!(&error, Error::Trap(trap) if trap.kind == TrapKind::StackOverflow),
                "{setup}: {name}: {error}"
            );
        }
    }
}

#[test]
fn a_stack_of_another_size_is_refused_before_a_vm_is_made() {
    for setup in matrix() {
        for bytes in [0, 1, (16 << 10) - 1, (1 << 20) + 1, u64::MAX] {
            let error = setup.builder().kernel_stack(bytes).build().err().unwrap();
            assert!(error.to_string().contains("kernel stack"), "{error}");
        }
    }
}

/// Loading is done with the same stack: its use must not depend on the module either.
#[test]
fn no_nesting_of_a_module_uses_it_up() {
    for setup in matrix() {
        let mut vm = with_stack(setup, SMALL);
        let nested = format!(
            "(module (func (export \"f\") {}{}))",
            "(block ".repeat(5000),
            ")".repeat(5000)
        );
        let instance = instantiate(&mut vm, &nested).unwrap();
        assert_eq!(run(&mut vm, instance, "f").unwrap(), [], "{setup}");
    }
}

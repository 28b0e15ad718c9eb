//! Limits: memory, time, recursion, sizes, numbers of VMs; and ends from outside.
//!
//! Each test runs on every setup of [`wrt_tests::matrix`]. Deadlines are part of what is
//! tested or keep a failing test from hanging; no test asserts how long something takes.
#![expect(clippy::unwrap_used, reason = "helpers of tests may panic like tests")]
#![expect(clippy::cast_possible_truncation, reason = "small numbers of the tests' own")]

mod alone;
mod cancel;
mod handles;
mod many;
mod memory;
mod modules;
mod recursion;
mod stack;
mod streams;
mod time;

use std::time::Instant;
use wrt_tests::HANG;
use wrt_vm::vm::{Function, Instance};
use wrt_vm::{Error, MicroVm, Module, Value};

/// Loads and instantiates a module in the text format.
fn instantiate(vm: &mut MicroVm, text: &str) -> Result<Instance, Error> {
    let module = Module::from_text(text).expect("a module of a test");
    let loaded = vm.load(&module)?;
    vm.instantiate(loaded)
}

/// Calls a function of no parameters by its name.
fn run(vm: &mut MicroVm, instance: Instance, name: &str) -> Result<Vec<Value>, Error> {
    let function = vm.function(instance, name)?;
    vm.call(&function, &[])
}

/// A small program and what it must answer: whether a VM is still good.
fn assert_works(vm: &mut MicroVm) {
    vm.set_deadline(Some(Instant::now() + HANG));
    let text = r#"(module (func (export "six-by-seven") (result i32)
        (i32.mul (i32.const 6) (i32.const 7))))"#;
    let instance = instantiate(vm, text).expect("a good VM takes a small module");
    let answer = run(vm, instance, "six-by-seven").expect("and runs it");
    assert_eq!(answer, [Value::I32(42)]);
    vm.set_deadline(None);
}

/// A function that counts down from its argument, and another that never ends.
const LOOPS: &str = r#"(module
    (func (export "count") (param $n i32) (result i32) (local $done i32)
        (loop $next
            (local.set $done (i32.add (local.get $done) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $done) (local.get $n))))
        (local.get $done))
    (func (export "for-ever") (loop $next (br $next))))"#;

/// The functions of [`LOOPS`]: `count`, `for-ever`.
fn loops(vm: &mut MicroVm) -> [Function; 2] {
    let instance = instantiate(vm, LOOPS).expect("the module is small");
    ["count", "for-ever"].map(|name| vm.function(instance, name).expect("it exports both"))
}

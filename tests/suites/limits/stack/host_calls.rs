//! Every host call, again and again in one call, on a small stack.

use super::{SMALL, with_stack};
use crate::instantiate;
use std::fmt::Write as _;
use wrt_abi::services::Import;
use wrt_abi::value::ValueType;
use wrt_tests::matrix;
use wrt_vm::Value;

/// Times that each is made in a call. Eight bytes a time use up [`SMALL`] after two thousand; an
/// exit takes too long for many more.
const ROUNDS: u32 = 3_000;

/// All that can be called again and again with zeros: others end the program.
fn functions() -> Vec<Import> {
    let end = ["proc_exit", "proc_raise", "log"];
    Import::all().filter(|import| !end.contains(&import.function().name)).collect()
}

/// A module that exports a function for each host function, which makes the call as many times
/// as it is told: directly, and by a tail call of another function.
fn module(functions: &[Import]) -> String {
    let params = |import: &Import| import.function().param_types(ValueType::I32);
    let result = |import: &Import| import.function().result.map_or("", ValueType::name);
    let mut text = String::from("(module");
    for (number, import) in functions.iter().enumerate() {
        let (module, name) = (import.module().name, import.function().name);
        let types: Vec<&str> = params(import).map(ValueType::name).collect();
        let (params, result) = (types.join(" "), result(import));
        let _ = write!(
            text,
            r#"(import "{module}" "{name}" (func $f{number} (param {params}) (result {result})))"#
        );
    }
    text.push_str(r#"(memory (export "memory") 1)"#);
    for (number, import) in functions.iter().enumerate() {
        let zeros: Vec<String> = params(import).map(|ty| format!("({ty}.const 0)")).collect();
        let (zeros, result) = (zeros.join(" "), result(import));
        let drop = if result.is_empty() { "" } else { "(drop)" };
        let _ = write!(
            text,
            r#"(func $t{number} (result {result}) (return_call $f{number} {zeros}))
            (func (export "{number}") (param $rounds i32) (result i32) (local $done i32)
                (loop $again
                    (call $f{number} {zeros}) {drop}
                    (call $t{number}) {drop}
                    (local.set $done (i32.add (local.get $done) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $done) (local.get $rounds))))
                (local.get $done))"#
        );
    }
    text.push(')');
    text
}

#[test]
fn no_host_call_uses_it_up() {
    let functions = functions();
    assert!(functions.len() > 50, "{}", functions.len());
    let text = module(&functions);
    for setup in matrix() {
        let mut vm = with_stack(setup, SMALL);
        let instance = instantiate(&mut vm, &text).unwrap();
        for (number, import) in functions.iter().enumerate() {
            let name = import.function().name;
            let call = vm.function(instance, &number.to_string()).unwrap();
            let rounds = Value::I32((ROUNDS / 2).cast_signed());
            let called = vm.call(&call, &[rounds]);
            let called = called.unwrap_or_else(|error| panic!("{setup}: {name}: {error}"));
            assert_eq!(called, [rounds], "{setup}: {name}");
        }
    }
}

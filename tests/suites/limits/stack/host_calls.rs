//! Every host call, again and again in one call, on a small stack.

use super::{SMALL, with_stack};
use crate::instantiate;
use std::fmt::Write as _;
use wrt_abi::imports::Param;
use wrt_abi::value::ValueType;
use wrt_abi::{vector, wasi};
use wrt_tests::matrix;
use wrt_vm::Value;

/// Times that each is made in a call. Eight bytes a time use up [`SMALL`] after two thousand; an
/// exit takes too long for many more.
const ROUNDS: u32 = 3_000;

/// A host function: its import and its parameters.
struct Function {
    module: &'static str,
    name: &'static str,
    params: Vec<&'static str>,
    result: Option<&'static str>,
}

/// All of them but `proc_exit` and `proc_raise`, which end the program.
fn functions() -> Vec<Function> {
    let wasi = wasi::FUNCTIONS.iter().filter(|function| !function.name.starts_with("proc_"));
    let wasi = wasi.map(|function| Function {
        module: "wasi_snapshot_preview1",
        name: function.name,
        params: function.params.iter().copied().map(ValueType::name).collect(),
        result: function.returns_errno.then_some("i32"),
    });
    let vector = vector::FUNCTIONS.iter().map(|function| Function {
        module: vector::MODULE,
        name: function.name,
        params: function
            .params
            .iter()
            .map(|param| match param {
                Param::Size => "i32",
                Param::Of(ty) => ty.name(),
            })
            .collect(),
        result: function.result.map(ValueType::name),
    });
    let enabled =
        Function { module: "wrt_log", name: "enabled", params: vec!["i32"], result: Some("i32") };
    wasi.chain(vector).chain([enabled]).collect()
}

/// A module that exports a function for each host function, which makes the call as many times
/// as it is told: directly, and by a tail call of another function.
fn module(functions: &[Function]) -> String {
    let mut text = String::from("(module");
    for (number, function) in functions.iter().enumerate() {
        let Function { module, name, params, result } = function;
        let (params, result) = (params.join(" "), result.unwrap_or_default());
        let _ = write!(
            text,
            r#"(import "{module}" "{name}" (func $f{number} (param {params}) (result {result})))"#
        );
    }
    text.push_str(r#"(memory (export "memory") 1)"#);
    for (number, function) in functions.iter().enumerate() {
        let zeros: Vec<String> =
            function.params.iter().map(|ty| format!("({ty}.const 0)")).collect();
        let (zeros, result) = (zeros.join(" "), function.result.unwrap_or_default());
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
        for (number, function) in functions.iter().enumerate() {
            let call = vm.function(instance, &number.to_string()).unwrap();
            let rounds = Value::I32((ROUNDS / 2).cast_signed());
            let called = vm.call(&call, &[rounds]);
            let called =
                called.unwrap_or_else(|error| panic!("{setup}: {}: {error}", function.name));
            assert_eq!(called, [rounds], "{setup}: {}", function.name);
        }
    }
}

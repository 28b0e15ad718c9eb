//! `select` by comparisons with zero, which engines make one instruction of.

use crate::{call, instantiate};
use wrt_tests::matrix;
use wrt_vm::Value;

/// How a condition is made of the parameter, and whether it is true of 0.
const CONDITIONS: &[(&str, bool)] = &[
    ("(local.get 0)", false),
    ("(i32.eqz (local.get 0))", true),
    ("(i32.eqz (i32.eqz (local.get 0)))", false),
    ("(i32.eq (local.get 0) (i32.const 0))", true),
    ("(i32.ne (local.get 0) (i32.const 0))", false),
    ("(i32.eqz (i32.add (local.get 0) (i32.const 0)))", true),
    ("(i32.ne (i32.and (local.get 0) (i32.const 1)) (i32.const 0))", false),
    ("(i32.eqz (global.get $parameter))", true),
];

/// Two values to select from: 1, then 2. Global `$one` is 1, and parameter 1 is 2.
const VALUES: &[(&str, &str)] = &[
    ("(i32.const 1)", "(i32.const 2)"),
    ("(global.get $one)", "(i32.const 2)"),
    ("(i32.const 1)", "(local.get 1)"),
    ("(i32.add (local.get 1) (i32.const -1))", "(local.get 1)"),
    ("(i32.wrap_i64 (i64.const 1))", "(i32.wrap_i64 (i64.extend_i32_s (local.get 1)))"),
];

/// Whatever the engine computed before must not be taken for the condition.
const BEFORE: &[&str] = &[
    "(nop)",
    "(drop (global.get $zero))",
    "(drop (global.get $one))",
    "(global.set $zero (i32.mul (global.get $zero) (i32.const 3)))",
    "(global.set $one (i32.add (global.get $one) (global.get $zero)))",
];

#[test]
fn the_condition_is_what_was_compared_last() {
    let mut functions = String::new();
    let mut names = Vec::new();
    for (condition, of_zero) in CONDITIONS {
        for (first, second) in VALUES {
            for before in BEFORE {
                let name = format!("{condition} {first} {second} {before}");
                functions.push_str(&format!(
                    r#"(func (export "{name}") (param i32 i32) (result i32)
                        (global.set $parameter (local.get 0)) {before}
                        (select {first} {second} {condition}))"#
                ));
                names.push((name, of_zero));
            }
        }
    }
    let text = format!(
        "(module (global $zero (mut i32) (i32.const 0)) (global $one (mut i32) (i32.const 1))
            (global $parameter (mut i32) (i32.const 7)) {functions})"
    );
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, &text);
        for (name, of_zero) in &names {
            for parameter in [0, 1] {
                let first = (parameter == 0) == **of_zero;
                let values = [Value::I32(parameter), Value::I32(2)];
                let got = call(&mut vm, instance, name, &values).unwrap();
                assert_eq!(got, [Value::I32(2 - i32::from(first))], "{setup}: {parameter}: {name}");
            }
        }
    }
}

//! Values of all types, in and out, bit by bit.

use crate::{call, instantiate};
use wrt_tests::matrix;
use wrt_vm::vm::ValueType;
use wrt_vm::{Error, Value};

const ECHO: &str = r#"(module
    (func (export "i32") (param i32) (result i32) (local.get 0))
    (func (export "i64") (param i64) (result i64) (local.get 0))
    (func (export "f32") (param f32) (result f32) (local.get 0))
    (func (export "f64") (param f64) (result f64) (local.get 0))
    (func (export "v128") (param v128) (result v128) (local.get 0))
    (func (export "funcref") (param funcref) (result funcref) (local.get 0))
    (func (export "externref") (param externref) (result externref) (local.get 0))
    (func (export "all") (param i32 i64 f32 f64 v128 funcref externref)
        (result externref funcref v128 f64 f32 i64 i32)
        (local.get 6) (local.get 5) (local.get 4) (local.get 3) (local.get 2) (local.get 1)
        (local.get 0)))"#;

#[test]
fn values_come_back_as_they_went_in() {
    let cases = [
        ("i32", vec![Value::I32(0), Value::I32(-1), Value::I32(i32::MIN), Value::I32(i32::MAX)]),
        ("i64", vec![Value::I64(0), Value::I64(-1), Value::I64(i64::MIN), Value::I64(i64::MAX)]),
        (
            "f32",
            // Zeros of both signs, an infinity, and quiet and signalling NaNs with payloads.
            [0, 0x8000_0000, 0x7f80_0000, 0x7fc0_0000, 0xffc1_2345, 0x7fa0_0001, 1, u32::MAX]
                .map(Value::F32)
                .to_vec(),
        ),
        (
            "f64",
            [0, 1 << 63, 0x7ff0 << 48, 0x7ff8 << 48, 0xfff8_dead_beef_0001, 0x7ff4 << 48 | 1]
                .map(Value::F64)
                .to_vec(),
        ),
        ("v128", vec![Value::V128(0), Value::V128(u128::MAX), Value::V128(1 << 127 | 0x0123)]),
        ("funcref", vec![Value::FuncRef(None)]),
        (
            "externref",
            vec![
                Value::ExternRef(None),
                Value::ExternRef(Some(0)),
                Value::ExternRef(Some(u64::MAX)),
            ],
        ),
    ];
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, ECHO);
        for (name, values) in &cases {
            let function = vm.function(instance, name).unwrap();
            for value in values {
                let echo = vm.call(&function, &[*value]).unwrap();
                assert_eq!(echo, [*value], "{setup}: {name}");
            }
        }
    }
}

#[test]
fn many_values_keep_their_places() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, ECHO);
        let mut values = vec![
            Value::I32(1),
            Value::I64(2),
            Value::F32(3),
            Value::F64(4),
            Value::V128(5),
            Value::FuncRef(None),
            Value::ExternRef(Some(7)),
        ];
        let results = call(&mut vm, instance, "all", &values).unwrap();
        values.reverse();
        assert_eq!(results, values, "{setup}");
    }
}

#[test]
fn a_function_reference_can_go_out_and_come_in_again() {
    let text = r#"(module
        (type $answer (func (result i32)))
        (table 1 funcref)
        (elem declare func $f)
        (func $f (result i32) (i32.const 42))
        (func (export "get") (result funcref) (ref.func $f))
        (func (export "call") (param funcref) (result i32)
            (table.set (i32.const 0) (local.get 0))
            (call_indirect (type $answer) (i32.const 0))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        let reference = call(&mut vm, instance, "get", &[]).unwrap();
        assert!(matches!(reference[..], [Value::FuncRef(Some(_))]), "{setup}: {reference:?}");
        let answer = call(&mut vm, instance, "call", &reference).unwrap();
        assert_eq!(answer, [Value::I32(42)], "{setup}");
    }
}

#[test]
fn types_of_functions_are_known() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, ECHO);
        let function = vm.function(instance, "all").unwrap();
        let ty = function.ty();
        let all = [
            ValueType::I32,
            ValueType::I64,
            ValueType::F32,
            ValueType::F64,
            ValueType::V128,
            ValueType::FuncRef,
            ValueType::ExternRef,
        ];
        assert_eq!(ty.params, all);
        assert!(ty.results.iter().eq(all.iter().rev()), "{setup}: {:?}", ty.results);
    }
}

#[test]
fn as_many_values_as_one_call_can_take() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let list = |count: usize| "i64 ".repeat(count);
        for count in [100, 900] {
            let gets: String = (0..count).map(|n| format!("(local.get {n})")).collect();
            let types = list(count);
            let text =
                format!(r#"(module (func (export "f") (param {types}) (result {types}) {gets}))"#);
            let instance = instantiate(&mut vm, &text);
            let values: Vec<Value> = (0..count as i64).map(Value::I64).collect();
            assert_eq!(call(&mut vm, instance, "f", &values).unwrap(), values, "{setup}");
        }
        // Functions may have more of both than fit between host and guest: an error of that
        // call alone.
        let text = format!(
            r#"(module (func (export "in") (param {types}))
                (func (export "out") (result {types}) {results}))"#,
            types = list(1000),
            results = "(i64.const 1)".repeat(1000)
        );
        let instance = instantiate(&mut vm, &text);
        let error = call(&mut vm, instance, "in", &[Value::I64(0); 1000]).unwrap_err();
        assert!(matches!(error, Error::TooLong(_)), "{setup}: {error:?}");
        let error = call(&mut vm, instance, "out", &[]).unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{setup}: {error:?}");
        instantiate(&mut vm, ECHO);
    }
}

#[test]
fn globals_of_all_types_can_be_read() {
    let text = r#"(module
        (global (export "i32") i32 (i32.const -5))
        (global (export "i64") i64 (i64.const -6))
        (global (export "f32") f32 (f32.const nan:0x200001))
        (global (export "f64") f64 (f64.const -0))
        (global (export "v128") v128 (v128.const i64x2 1 2))
        (global (export "null") externref (ref.null extern))
        (global $count (export "count") (mut i32) (i32.const 0))
        (func (export "next") (global.set $count (i32.add (global.get $count) (i32.const 1)))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        for (name, value) in [
            ("i32", Value::I32(-5)),
            ("i64", Value::I64(-6)),
            ("f32", Value::F32(0x7fa0_0001)),
            ("f64", Value::F64(1 << 63)),
            ("v128", Value::V128(2 << 64 | 1)),
            ("null", Value::ExternRef(None)),
        ] {
            assert_eq!(vm.global(instance, name).unwrap(), value, "{setup}: {name}");
        }
        for count in 0..5 {
            assert_eq!(vm.global(instance, "count").unwrap(), Value::I32(count), "{setup}");
            call(&mut vm, instance, "next", &[]).unwrap();
        }
    }
}

#[test]
fn ten_thousand_calls_of_one_instance() {
    let text = r#"(module (global $sum (mut i64) (i64.const 0))
        (func (export "add") (param i64) (result i64)
            (global.set $sum (i64.add (global.get $sum) (local.get 0)))
            (global.get $sum)))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        let add = vm.function(instance, "add").unwrap();
        let before = vm.usage().exits;
        for n in 1..=10_000 {
            let sum = vm.call(&add, &[Value::I64(n)]).unwrap();
            assert_eq!(sum, [Value::I64(n * (n + 1) / 2)], "{setup}");
        }
        let exits = vm.usage().exits.total() - before.total();
        assert!(exits <= 10_010, "{setup}: a call takes one exit, not {exits} for 10000");
    }
}

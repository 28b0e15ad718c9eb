//! Recursion in Wasm is the program's to bound: a trap, not the engine's end.

use crate::{assert_works, instantiate};
use wrt_tests::matrix;
use wrt_vm::{Error, TrapKind, Value};

const RECURSION: &str = r#"(module
    (func $forever (export "forever") (call $forever) (nop))
    (func $even (export "even") (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0))
            (then (i32.const 1))
            (else (i32.xor (i32.const 1)
                (i32.xor (i32.const 1) (call $odd (i32.sub (local.get 0) (i32.const 1))))))))
    (func $odd (param i32) (result i32)
        (if (result i32) (i32.eqz (local.get 0))
            (then (i32.const 0))
            (else (i32.xor (i32.const 1)
                (i32.xor (i32.const 1) (call $even (i32.sub (local.get 0) (i32.const 1))))))))
    (table funcref (elem $indirect))
    (type $none (func))
    (func $indirect (export "indirect") (call_indirect (type $none) (i32.const 0)) (nop))
    (func $tail (export "tail") (param i32)
        (if (local.get 0)
            (then (return_call $tail (i32.sub (local.get 0) (i32.const 1)))))))"#;

#[test]
fn endless_recursion_is_a_trap_with_a_backtrace() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, RECURSION).unwrap();
        for name in ["forever", "indirect"] {
            let function = vm.function(instance, name).unwrap();
            // Again and again: what a trap leaves on the engine's stacks is taken away.
            for _ in 0..3 {
                let error = vm.call(&function, &[]).unwrap_err();
                let Error::Trap(trap) = &error else { panic!("{setup}: {error}") };
                assert_eq!(trap.kind, TrapKind::StackOverflow);
                assert!(trap.depth.is_none_or(|depth| depth > 1000), "{setup}: {:?}", trap.depth);
                assert!(!trap.frames.is_empty() && trap.frames.len() < 100);
                for frame in &trap.frames {
                    assert_eq!(frame.name.as_deref(), Some(name), "{setup}");
                }
                assert!(error.to_string().contains(" more"), "{error}");
            }
        }
        assert_works(&mut vm);
        let even = vm.function(instance, "even").unwrap();
        assert_eq!(vm.call(&even, &[Value::I32(1000)]).unwrap(), [Value::I32(1)], "{setup}");
    }
}

#[test]
fn deep_recursion_that_ends_is_no_trap() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, RECURSION).unwrap();
        let even = vm.function(instance, "even").unwrap();
        for depth in [10_001, 50_000] {
            let answer = vm.call(&even, &[Value::I32(depth)]).unwrap();
            assert_eq!(answer, [Value::I32((depth + 1) % 2)], "{setup}: {depth} deep");
        }
    }
}

#[test]
fn tail_calls_take_no_stack() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, RECURSION).unwrap();
        let tail = vm.function(instance, "tail").unwrap();
        assert_eq!(vm.call(&tail, &[Value::I32(2_000_000)]).unwrap(), [], "{setup}");
    }
}

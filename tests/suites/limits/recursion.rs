//! Recursion in Wasm is the program's to bound: a trap, not the engine's end.

use crate::{assert_works, instantiate};
use wrt_tests::matrix;
use wrt_vm::error::TrapKind;
use wrt_vm::{Error, Value};

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
        for depth in [10_001, 50_000, 200_001] {
            let answer = vm.call(&even, &[Value::I32(depth)]).unwrap();
            assert_eq!(answer, [Value::I32((depth + 1) % 2)], "{setup}: {depth} deep");
        }
    }
}

/// Functions as compilers make them of parsers: many values live across a call.
#[test]
fn large_frames_go_a_hundred_thousand_deep() {
    const LIVE: usize = 30;
    let locals: Vec<String> = (0..LIVE)
        // What was loaded before a call cannot be loaded again after it.
        .map(|n| format!("(local.set {} (i32.load offset={} (i32.const 0)))", n + 1, 4 * n))
        .collect();
    let sum: String = (0..LIVE).fold("(i32.const 0)".to_owned(), |sum, n| {
        format!("(i32.add {sum} (local.get {}))", n + 1)
    });
    let text = format!(
        r#"(module (memory 1) (func $f (export "f") (param i32) (result i32) (local {}) {}
            (if (result i32) (local.get 0)
                (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                (else (i32.const 0)))
            (i32.add {sum})))"#,
        "i32 ".repeat(LIVE),
        locals.join(" "),
    );
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, &text).unwrap();
        let f = vm.function(instance, "f").unwrap();
        let deep = Value::I32(100_000);
        assert_eq!(vm.call(&f, &[deep]).unwrap(), [deep], "{setup}");
    }
}

#[test]
fn the_stack_is_as_large_as_it_was_told_to_be() {
    for setup in matrix() {
        for (bytes, fits, does_not) in [(64 << 10, 200, 20_000), (256 << 20, 2_000_000, 20_000_000)]
        {
            let mut vm = setup.builder().max_stack(bytes).build().unwrap();
            let instance = instantiate(&mut vm, RECURSION).unwrap();
            let even = vm.function(instance, "even").unwrap();
            let answer = vm.call(&even, &[Value::I32(fits)]).unwrap();
            assert_eq!(answer, [Value::I32(1)], "{setup}: {bytes} bytes");
            let error = vm.call(&even, &[Value::I32(does_not)]).unwrap_err();
            assert!(
                matches!(&error, Error::Trap(trap) if trap.kind == TrapKind::StackOverflow),
                "{setup}: {bytes} bytes: {error}"
            );
            assert_works(&mut vm);
        }
        for bytes in [0, 1, (64 << 10) - 1, (512 << 20) + 1, u64::MAX] {
            let error = setup.builder().max_stack(bytes).build().err().unwrap();
            assert!(error.to_string().contains("stack"), "{setup}: {error}");
        }
        let mut vm = setup.builder().max_stack(512 << 20).build().unwrap();
        assert_works(&mut vm);
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

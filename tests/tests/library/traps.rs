//! Traps: their kinds, their backtraces, and the VM after them.

use crate::{call, instantiate, try_instantiate};
use std::thread;
use wrt_tests::matrix;
use wrt_vm::{Error, Frame, MicroVm, Trap, TrapKind, Value};

const TRAPS: &str = r#"(module
    (memory 1)
    (type $none (func)) (type $other (func (param i32)))
    (func $nothing)
    (table 2 funcref) (elem (i32.const 0) $nothing)
    (func (export "unreachable") (unreachable))
    (func (export "memory") (drop (i32.load (i32.const 65536))))
    (func (export "table") (call_indirect (type $none) (i32.const 2)))
    (func (export "null") (call_indirect (type $none) (i32.const 1)))
    (func (export "signature") (call_indirect (type $other) (i32.const 1) (i32.const 0)))
    (func (export "divide") (drop (i32.div_s (i32.const 1) (i32.const 0))))
    (func (export "overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
    (func (export "convert") (drop (i32.trunc_f32_s (f32.const nan))))
    (func (export "recursion") (call 9))
    (func (export "fine") (result i32) (i32.const 42)))"#;

#[track_caller]
fn trap(result: Result<Vec<Value>, Error>) -> Trap {
    match result {
        Err(Error::Trap(trap)) => trap,
        other => panic!("a trap was wanted: {other:?}"),
    }
}

#[test]
fn each_trap_has_its_kind_and_the_vm_goes_on() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TRAPS);
        for (name, kind) in [
            ("unreachable", TrapKind::Unreachable),
            ("memory", TrapKind::MemoryOutOfBounds),
            ("table", TrapKind::TableOutOfBounds),
            ("null", TrapKind::IndirectCallToNull),
            ("signature", TrapKind::BadSignature),
            ("divide", TrapKind::IntegerDivisionByZero),
            ("overflow", TrapKind::IntegerOverflow),
            ("convert", TrapKind::BadConversionToInteger),
            ("recursion", TrapKind::StackOverflow),
        ] {
            let trap = trap(call(&mut vm, instance, name, &[]));
            assert_eq!(trap.kind, kind, "{setup}: {name}");
            let shown = trap.to_string();
            assert!(shown.starts_with(&format!("wasm trap: {}", kind.message())), "{shown}");
            assert_eq!(call(&mut vm, instance, "fine", &[]).unwrap(), [Value::I32(42)], "{setup}");
        }
    }
}

#[test]
fn a_backtrace_names_the_functions_innermost_first() {
    let text = r#"(module
        (func $outer (export "start") (param i32) (call $middle (local.get 0)) (nop))
        (func $middle (param i32) (call 3 (local.get 0)) (nop))
        (func $not_called)
        (func (param i32)
            (if (local.get 0)
                (then (call 3 (i32.sub (local.get 0) (i32.const 1))) (nop))
                (else (call $inner) (nop))))
        (func $inner (unreachable)))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        // Its functions have the same indices: frames must name the right module's.
        instantiate(&mut vm, "(module (func $wrong) (func $also_wrong))");
        let instance = instantiate(&mut vm, text);
        let trap = trap(call(&mut vm, instance, "start", &[Value::I32(1)]));
        let frame = |function, name: Option<&str>| Frame {
            module: 1,
            function,
            name: name.map(str::to_owned),
        };
        assert_eq!(
            trap.frames,
            [
                frame(4, Some("inner")),
                frame(3, None),
                frame(3, None),
                frame(1, Some("middle")),
                frame(0, Some("outer")),
            ],
            "{setup}"
        );
        assert_eq!(trap.depth, Some(5), "{setup}");
        let shown = trap.to_string();
        assert!(shown.contains("0: inner\n") && shown.contains("1: <function 3>\n"), "{shown}");
    }
}

#[test]
fn a_trap_in_a_start_function_leaves_the_vm_usable() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let text = "(module (func $begin (unreachable)) (start $begin))";
        let error = try_instantiate(&mut vm, text).unwrap_err();
        let Error::Trap(trap) = error else { panic!("{setup}: {error:?}") };
        assert_eq!(trap.frames[0].name.as_deref(), Some("begin"), "{setup}");
        let instance = instantiate(&mut vm, TRAPS);
        assert_eq!(call(&mut vm, instance, "fine", &[]).unwrap(), [Value::I32(42)], "{setup}");
    }
}

#[test]
fn a_program_that_exits_says_with_which_code() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "leave") (param i32) (call $exit (local.get 0)) (unreachable)))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        for code in [0, 1, 125] {
            let error = call(&mut vm, instance, "leave", &[Value::I32(code)]).unwrap_err();
            assert!(matches!(error, Error::Exit(got) if got == code), "{setup}: {error:?}");
        }
    }
}

#[test]
fn a_vm_may_move_to_another_thread_in_the_middle_of_its_life() {
    fn in_thread(mut vm: MicroVm, f: impl FnOnce(&mut MicroVm) + Send + 'static) -> MicroVm {
        let thread = thread::spawn(move || {
            f(&mut vm);
            vm
        });
        thread.join().expect("the checks in the thread hold")
    }
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TRAPS);
        let fine = vm.function(instance, "fine").unwrap();
        for _ in 0..5 {
            let fine = fine.clone();
            vm = in_thread(vm, move |vm| {
                assert_eq!(vm.call(&fine, &[]).unwrap(), [Value::I32(42)]);
                trap(call(vm, instance, "unreachable", &[]));
            });
            assert_eq!(call(&mut vm, instance, "fine", &[]).unwrap(), [Value::I32(42)], "{setup}");
        }
    }
}

//! Traps: their kinds, their backtraces, and the VM after them.

use crate::{call, instantiate, try_instantiate};
use std::thread;
use wrt_tests::matrix;
use wrt_vm::error::{Trap, TrapKind};
use wrt_vm::{EngineKind, Error, MicroVm, Module, Value};

/// Every function but the first and the last traps.
const TRAPS: &str = r#"(module
    (memory 1)
    (type $none (func)) (type $other (func (param i32)))
    (func $nothing)
    (table 2 funcref) (elem (i32.const 0) $nothing)
    (func (export "unreachable") (unreachable))
    (func (export "load") (drop (i32.load (i32.const 65536))))
    (func (export "store") (i64.store (i32.const 65529) (i64.const 1)))
    (func (export "fill") (memory.fill (i32.const 1) (i32.const 0) (i32.const 65536)))
    (func (export "table") (call_indirect (type $none) (i32.const 2)))
    (func (export "table.get") (drop (table.get (i32.const 2))))
    (func (export "null") (call_indirect (type $none) (i32.const 1)))
    (func (export "signature") (call_indirect (type $other) (i32.const 1) (i32.const 0)))
    (func (export "i32.div_s") (drop (i32.div_s (i32.const 1) (i32.const 0))))
    (func (export "i32.div_u") (drop (i32.div_u (i32.const 1) (i32.const 0))))
    (func (export "i32.rem_s") (drop (i32.rem_s (i32.const 1) (i32.const 0))))
    (func (export "i32.rem_u") (drop (i32.rem_u (i32.const 1) (i32.const 0))))
    (func (export "i64.div_s") (drop (i64.div_s (i64.const 1) (i64.const 0))))
    (func (export "i64.div_u") (drop (i64.div_u (i64.const 1) (i64.const 0))))
    (func (export "i64.rem_s") (drop (i64.rem_s (i64.const 1) (i64.const 0))))
    (func (export "i64.rem_u") (drop (i64.rem_u (i64.const 1) (i64.const 0))))
    (func (export "32-bit overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
    (func (export "64-bit overflow") 
        (drop (i64.div_s (i64.const 0x8000000000000000) (i64.const -1))))
    (func (export "f32 nan") (drop (i32.trunc_f32_s (f32.const nan))))
    (func (export "f64 nan") (drop (i64.trunc_f64_u (f64.const nan))))
    (func (export "f32 too large") (drop (i32.trunc_f32_s (f32.const 0x1p31))))
    (func (export "f64 too large") (drop (i64.trunc_f64_s (f64.const -0x1p64))))
    (func (export "f64 negative") (drop (i32.trunc_f64_u (f64.const -1))))
    (func $recursion (export "recursion") (call $recursion) (nop))
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
        for (index, (name, kind)) in (1..).zip([
            ("unreachable", TrapKind::Unreachable),
            ("load", TrapKind::MemoryOutOfBounds),
            ("store", TrapKind::MemoryOutOfBounds),
            ("fill", TrapKind::MemoryOutOfBounds),
            ("table", TrapKind::TableOutOfBounds),
            ("table.get", TrapKind::TableOutOfBounds),
            ("null", TrapKind::IndirectCallToNull),
            ("signature", TrapKind::BadSignature),
            ("i32.div_s", TrapKind::IntegerDivisionByZero),
            ("i32.div_u", TrapKind::IntegerDivisionByZero),
            ("i32.rem_s", TrapKind::IntegerDivisionByZero),
            ("i32.rem_u", TrapKind::IntegerDivisionByZero),
            ("i64.div_s", TrapKind::IntegerDivisionByZero),
            ("i64.div_u", TrapKind::IntegerDivisionByZero),
            ("i64.rem_s", TrapKind::IntegerDivisionByZero),
            ("i64.rem_u", TrapKind::IntegerDivisionByZero),
            ("32-bit overflow", TrapKind::IntegerOverflow),
            ("64-bit overflow", TrapKind::IntegerOverflow),
            ("f32 nan", TrapKind::BadConversionToInteger),
            ("f64 nan", TrapKind::BadConversionToInteger),
            ("f32 too large", TrapKind::IntegerOverflow),
            ("f64 too large", TrapKind::IntegerOverflow),
            ("f64 negative", TrapKind::IntegerOverflow),
            ("recursion", TrapKind::StackOverflow),
        ]) {
            let trap = trap(call(&mut vm, instance, name, &[]));
            assert_eq!(trap.kind, kind, "{setup}: {name}");
            // Whoever noticed: the processor, a check in the code, or the engine's own code.
            assert!(
                trap.frames.first().is_some_and(|frame| frame.function == index),
                "{setup}: {name}: {trap}"
            );
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
        let frame = |function, name: Option<&str>| (1, function, name.map(str::to_owned));
        assert_eq!(
            places(&trap),
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
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[2].ends_with(" inner") && lines[3].ends_with(" <function 3>"), "{shown}");
        match setup.engine {
            EngineKind::Interp => assert!(trap.frames.iter().all(|frame| frame.offset.is_none())),
            EngineKind::Native => assert_offsets(&trap, &Module::from_text(text).unwrap()),
        }
    }
}

/// Module, function and name of each frame.
fn places(trap: &Trap) -> Vec<(u32, u32, Option<String>)> {
    let frames = trap.frames.iter();
    frames.map(|frame| (frame.module, frame.function, frame.name.clone())).collect()
}

/// Asserts that the innermost frame is at an `unreachable`, and each other one at a `call`, or
/// just after it.
fn assert_offsets(trap: &Trap, module: &Module) {
    const UNREACHABLE: u8 = 0x00;
    const CALL: u8 = 0x10;
    let shown = trap.to_string();
    for (number, frame) in trap.frames.iter().enumerate() {
        let offset = frame.offset.expect("compiled code knows where it is");
        assert!(shown.contains(&format!(" {number}: {offset:#8x} - ")), "{shown}");
        let at = |offset: u32| module.as_slice().get(offset as usize).copied();
        match number {
            0 => assert_eq!(at(offset), Some(UNREACHABLE), "{shown}"),
            _ => assert!([at(offset), at(offset.wrapping_sub(2))].contains(&Some(CALL)), "{shown}"),
        }
    }
}

/// What Rust's and C++'s compilers make of names is shown as people write it; other names, and
/// what only looks like such, as they are.
#[test]
fn names_are_shown_as_people_write_them() {
    let long = format!("_ZN{}E", "3abc".repeat(400));
    let cases = [
        ("_ZN3app5parse17h05d1c379f9825f6eE", "app::parse"),
        ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
        ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
        (
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back(int const&)",
        ),
        ("_Z3addii", "add(int, int)"),
        ("main", "main"),
        ("_Znot a name", "_Znot a name"),
        ("_R", "_R"),
    ];
    for setup in matrix() {
        for (encoded, shown) in cases.iter().copied().chain([(long.as_str(), &long[..256])]) {
            let text = format!(r#"(module (func (@name "{encoded}") (export "f") (unreachable)))"#);
            let mut vm = setup.vm();
            let instance = instantiate(&mut vm, &text);
            let trap = trap(call(&mut vm, instance, "f", &[]));
            assert_eq!(trap.frames[0].name.as_deref(), Some(shown), "{setup}");
        }
    }
}

#[test]
fn a_backtrace_goes_through_modules_tables_and_memories_that_moved() {
    let provider = r#"(module
        (memory 1)
        (func $load (export "load") (param i32) (result i32)
            (drop (memory.grow (i32.const 100)))
            (i32.load (local.get 0))))"#;
    let user = r#"(module
        (import "provider" "load" (func $load (param i32) (result i32)))
        (type $unary (func (param i32) (result i32)))
        (table funcref (elem $load $through))
        (func $through (param i32) (result i32)
            (i32.add (i32.const 1) (call_indirect (type $unary) (local.get 0) (i32.const 0))))
        (func $begin (export "begin") (param i32) (result i32)
            (i32.add (i32.const 1) (call_indirect (type $unary) (local.get 0) (i32.const 1)))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let one = instantiate(&mut vm, provider);
        vm.register(one, "provider").unwrap();
        let two = instantiate(&mut vm, user);
        let at = |at| [Value::I32(at)];
        assert_eq!(call(&mut vm, two, "begin", &at(101 << 16 >> 1)).unwrap(), at(2), "{setup}");
        for address in [i32::MAX, -1] {
            let trap = trap(call(&mut vm, two, "begin", &at(address)));
            assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{setup}");
            let frame = |module, function, name: &str| (module, function, Some(name.to_owned()));
            let expected = [frame(0, 0, "load"), frame(1, 1, "through"), frame(1, 2, "begin")];
            assert_eq!(places(&trap), expected, "{setup}");
            assert_eq!(trap.depth, Some(3), "{setup}");
        }
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

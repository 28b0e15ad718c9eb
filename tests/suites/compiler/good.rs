//! From a module to its answer, by way of compiled code.

use crate::{compiler, in_process, run, setups};
use wasmtime::Engine;
use wrt_vm::compiler::Target;
use wrt_vm::{Error, Module, Value};

/// Has a bit of everything: memory, data, a table, a global, calls, floats, vectors.
const MODULE: &str = r#"(module
    (memory 1) (data (i32.const 8) "\2a\00\00\00")
    (global $count (mut i32) (i32.const 1))
    (table funcref (elem $twice))
    (type $unary (func (param i32) (result i32)))
    (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func $floor (param f64) (result i32) (i32.trunc_f64_s (f64.floor (local.get 0))))
    (func (export "f") (result i32)
        (global.set $count (i32.add (global.get $count) (i32.popcnt (i32.const 0xff))))
        (i32.add
            (call_indirect (type $unary) (i32.load (i32.const 8)) (i32.const 0))
            (i32.add
                (i32x4.extract_lane 2
                    (i32x4.add (i32x4.splat (global.get $count)) (v128.const i32x4 0 0 100 0)))
                (call $floor (f64.const 1000.75))))))"#;
/// 2 * 42 + (1 + 8 + 100) + 1000.
const ANSWER: Value = Value::I32(1193);

#[test]
fn a_module_is_compiled_loaded_and_run() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let mut compiler = compiler(setup);
        let mut vm = setup.vm();
        let machine = compiler.machine();
        for target in [Target::baseline(Target::ARCH), machine] {
            let compiled = compiler.compile(&module, target).unwrap();
            assert_eq!(compiled.target(), Some(target), "{setup}");
            assert_eq!(run(&mut vm, &compiled).unwrap(), [ANSWER], "{setup}: {target:?}");

            // By way of a file, too.
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("module.cwasm");
            compiled.write(&mut std::fs::File::create(&path).unwrap()).unwrap();
            let again = Module::from_file(&path).unwrap();
            assert_eq!(again.target(), Some(target), "{setup}");
            assert!(again.as_slice() == compiled.as_slice(), "{setup}");
            assert_eq!(run(&mut vm, &again).unwrap(), [ANSWER], "{setup}: {target:?}");

            // What is compiled is not compiled again.
            let same = compiler.compile(&again, machine).unwrap();
            assert_eq!(same.target(), Some(target), "{setup}");
        }
    }
}

/// The VM around the compiler changes nothing: the same crates make the same bytes in a process.
#[test]
fn code_from_the_vm_is_the_code_that_a_process_makes() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let mut compiler = compiler(setup);
        for target in [Target::baseline(Target::ARCH), compiler.machine()] {
            let config = in_process(target);
            let expected = Engine::new(&config).unwrap().precompile_module(module.as_slice());
            let compiled = compiler.compile(&module, target).unwrap();
            assert!(compiled.as_slice() == expected.unwrap(), "{setup}: {target:?}");
        }
    }
}

#[test]
fn the_same_module_makes_the_same_code_each_time() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let mut one = compiler(setup);
        let target = one.machine();
        let first = one.compile(&module, target).unwrap();
        // After a reset, from a snapshot, and in another VM.
        for round in 0..4 {
            let invalid = Module::from_bytes(b"\0asm\x01\0\0\0\xff").unwrap();
            let error = one.compile(&invalid, target).unwrap_err();
            assert!(matches!(error, Error::InvalidModule { .. }), "{setup}: {error}");
            let again = one.compile(&module, target).unwrap();
            assert!(again.as_slice() == first.as_slice(), "{setup}: {round}");
        }
        for compiler in [&mut one, &mut compiler(setup)] {
            let again = compiler.compile(&module, target).unwrap();
            assert!(again.as_slice() == first.as_slice(), "{setup}");
        }
    }
}

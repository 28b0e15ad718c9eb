//! What a user of the library can do with components, and what not.

use crate::text::{TRAPS, imports, imports_version, returns};
use crate::{HANG, setups};
use std::time::Instant;
use wrt_tests::{Setup, matrix};
use wrt_vm::compiler::Target;
use wrt_vm::error::TrapKind;
use wrt_vm::vm::Instance;
use wrt_vm::{EngineKind, Error, MicroVm, Module, Value};

/// Loads and instantiates text.
fn instantiate(setup: Setup, vm: &mut MicroVm, text: &str) -> Result<Instance, Error> {
    vm.set_deadline(Some(Instant::now() + HANG));
    let module = Module::from_text(text).expect("a component of a test");
    let loaded = vm.load(&setup.try_module(module)?)?;
    vm.instantiate(loaded)
}

/// Loads, instantiates and runs text.
fn run(setup: Setup, vm: &mut MicroVm, text: &str) -> Result<(), Error> {
    let instance = instantiate(setup, vm, text)?;
    vm.run(instance)
}

#[test]
fn a_program_that_says_that_it_failed_has_left_with_1() {
    for setup in setups() {
        let mut vm = setup.vm();
        run(setup, &mut vm, &returns(0)).unwrap();
        assert!(matches!(run(setup, &mut vm, &returns(1)), Err(Error::Exit(1))), "{setup}");
        // A value that is no result at all.
        let error = run(setup, &mut vm, &returns(2)).unwrap_err();
        assert!(!matches!(error, Error::Exit(_) | Error::Ended(_)), "{setup}: {error}");
    }
}

#[test]
fn components_and_modules_live_in_one_vm() {
    for setup in setups() {
        let mut vm = setup.vm();
        let first = instantiate(setup, &mut vm, &returns(0)).unwrap();
        let module = r#"(module (func (export "_start")) (func (export "f") (result i32)
            (i32.const 7)))"#;
        let second = instantiate(setup, &mut vm, module).unwrap();
        let third = instantiate(setup, &mut vm, &returns(1)).unwrap();
        for _ in 0..2 {
            vm.run(first).unwrap();
            vm.run(second).unwrap();
            let f = vm.function(second, "f").unwrap();
            assert_eq!(vm.call(&f, &[]).unwrap(), [Value::I32(7)], "{setup}");
            assert!(matches!(vm.run(third), Err(Error::Exit(1))), "{setup}");
        }
        vm.reset().unwrap();
        assert!(matches!(vm.run(first), Err(Error::WrongHandle)), "{setup}");
        run(setup, &mut vm, &returns(0)).unwrap();
    }
}

#[test]
fn a_trap_has_its_kind_and_its_functions() {
    for setup in setups() {
        let mut vm = setup.vm();
        // The component is not the first that is loaded: its number is its own.
        instantiate(setup, &mut vm, "(module)").unwrap();
        let instance = instantiate(setup, &mut vm, TRAPS).unwrap();
        let error = vm.run(instance).unwrap_err();
        let Error::Trap(trap) = error else { panic!("{setup}: {error}") };
        assert_eq!(trap.kind, TrapKind::IntegerDivisionByZero);
        let frames: Vec<_> =
            trap.frames.iter().map(|frame| (frame.module, frame.name.as_deref())).collect();
        assert_eq!(frames, [(1, Some("inner")), (1, Some("outer"))], "{setup}");
        // After that no component can be entered, before a reset; modules can.
        for error in [vm.run(instance).unwrap_err(), run(setup, &mut vm, &returns(0)).unwrap_err()]
        {
            assert!(matches!(error, Error::Component(_)), "{setup}: {error}");
            assert!(error.to_string().contains("reset"), "{setup}: {error}");
        }
        run(setup, &mut vm, r#"(module (func (export "_start")))"#).unwrap();
        vm.reset().unwrap();
        run(setup, &mut vm, &returns(0)).unwrap();
    }
}

#[test]
fn every_version_of_wasi_0_2_is_the_same() {
    for setup in setups() {
        let mut vm = setup.vm();
        for version in ["0.2.0", "0.2.3", "0.2.6", "0.2.12", "0.2.99"] {
            run(setup, &mut vm, &imports_version(version)).unwrap();
        }
        for version in ["0.1.0", "0.3.0", "1.0.0"] {
            let error = run(setup, &mut vm, &imports_version(version)).unwrap_err();
            let Error::Unlinkable { module, .. } = error else { panic!("{setup}: {error}") };
            assert_eq!(module, format!("wasi:random/random@{version}"));
        }
    }
}

#[test]
fn an_import_that_nobody_has_is_named() {
    for setup in setups() {
        let mut vm = setup.vm();
        for (interface, function, name, reason) in [
            ("wasi:http/outgoing-handler@0.3.0", r#""handle" (func)"#, "handle", "nothing defines"),
            ("wasi:http/incoming-handler@0.2.0", r#""handle" (func)"#, "handle", "nothing defines"),
            ("wasi:http/types@0.2.0", r#""x" (type (sub resource))"#, "x", "nothing defines"),
            ("wasi:sockets/tcp-create-socket@0.3.0", r#""f" (func)"#, "f", "nothing defines"),
            ("wasi:keyvalue/store@0.2.0-draft", r#""open" (func)"#, "open", "nothing defines"),
            ("wasi:cli/exit@0.2.0", r#""vanish" (func)"#, "vanish", "nothing defines"),
            ("wasi:sockets/raw@0.2.0", r#""r" (type (sub resource))"#, "r", "nothing defines"),
            ("wasi:cli/exit@0.2.0", r#""exit" (func (param "x" u32))"#, "exit", "type"),
            ("my:own/thing", r#""f" (func (result string))"#, "f", "wanted: function"),
        ] {
            let error = instantiate(setup, &mut vm, &imports(interface, function)).unwrap_err();
            let shown = error.to_string();
            let Error::Unlinkable { module, name: found, reason: why } = error else {
                panic!("{setup}: {shown}")
            };
            assert_eq!((module.as_str(), found.as_str()), (interface, name), "{setup}: {shown}");
            assert!(why.contains(reason), "{setup}: {shown}");
        }
        let error = instantiate(setup, &mut vm, r#"(component (import "f" (func)))"#).unwrap_err();
        assert!(matches!(&error, Error::Unlinkable { module, .. } if module == "f"), "{error}");
        assert!(error.to_string().starts_with("cannot link import `f`: "), "{error}");
    }
}

#[test]
fn a_component_that_is_no_program_says_what_it_is() {
    for setup in setups() {
        let mut vm = setup.vm();
        let text = r#"(component (type $t u32) (export "t" (type $t))
            (instance $i) (export "a:b/c@1.0.0" (instance $i)) (export "d:e/f" (instance $i)))"#;
        let instance = instantiate(setup, &mut vm, text).unwrap();
        let error = vm.run(instance).unwrap_err();
        let shown = error.to_string();
        assert!(matches!(error, Error::Component(_)), "{setup}: {shown}");
        for part in ["not a program", "wasi:cli/run@0.2", "`a:b/c@1.0.0`", "`d:e/f`"] {
            assert!(shown.contains(part), "{setup}: {shown}");
        }
        let exports = vm.exports(instance).unwrap();
        let kinds: Vec<_> =
            exports.iter().map(|export| (export.kind.as_str(), export.name.as_str())).collect();
        let expected = [("type", "t"), ("instance", "a:b/c@1.0.0"), ("instance", "d:e/f")];
        assert_eq!(kinds, expected, "{setup}");

        let error = run(setup, &mut vm, "(component)").unwrap_err().to_string();
        assert!(error.contains("exports nothing"), "{setup}: {error}");
    }
}

#[test]
fn what_is_about_core_modules_is_a_typed_error() {
    for setup in setups() {
        let mut vm = setup.vm();
        let instance = instantiate(setup, &mut vm, &returns(0)).unwrap();
        for result in [
            vm.function(instance, "_start").map(|_| ()),
            vm.memory(instance, "memory").map(|_| ()),
            vm.global(instance, "g").map(|_| ()),
            vm.register(instance, "name"),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Component(_)), "{setup}: {error}");
        }
        vm.run(instance).unwrap();
    }
}

#[test]
fn the_interpreter_takes_no_component() {
    for setup in matrix().into_iter().filter(|setup| setup.engine == EngineKind::Interp) {
        let mut vm = setup.vm();
        let error = run(setup, &mut vm, &returns(0)).unwrap_err();
        assert!(matches!(error, Error::Component(_)), "{setup}: {error}");
        assert!(error.to_string().contains("native engine"), "{error}");
        run(setup, &mut vm, r#"(module (func (export "_start")))"#).unwrap();
    }
}

#[test]
fn an_invalid_component_is_told_with_offset_and_reason() {
    for setup in setups() {
        let mut vm = setup.vm();
        for (bytes, text) in [
            (&b"\0asm\x0d\0\x01\0\x01\x01"[..], "unexpected end"),
            (b"\0asm\x0e\0\x01\0", "version"),
        ] {
            let module = setup.try_module(Module::from_bytes(bytes).unwrap());
            let error = module.and_then(|module| vm.load(&module)).unwrap_err();
            let shown = error.to_string();
            assert!(matches!(error, Error::InvalidModule { .. }), "{setup}: {shown}");
            assert!(shown.contains(text), "{setup}: {shown}");
        }
        let nested = "(component (core module (func (result i32))))";
        let error = run(setup, &mut vm, nested).unwrap_err().to_string();
        assert!(error.contains("type mismatch"), "{setup}: {error}");
    }
}

#[test]
fn compiled_code_is_known_for_a_component_in_the_guest() {
    for setup in setups() {
        let (mut compiler, machine) = (setup.compiler(), setup.target());
        let component = Module::from_text(&returns(1)).unwrap();
        assert!(component.is_component());
        for target in [Target::baseline(machine.arch), machine] {
            let compiled = compiler.compile(&component, target).unwrap();
            // Only a guest looks inside.
            assert!(!compiled.is_component());
            let mut file = Vec::new();
            compiled.write(&mut file).unwrap();
            let again = Module::from_bytes(&file).unwrap();
            let mut vm = setup.vm();
            let loaded = vm.load(&again).unwrap();
            let instance = vm.instantiate(loaded).unwrap();
            assert!(matches!(vm.run(instance), Err(Error::Exit(1))), "{setup}");
        }
    }
}

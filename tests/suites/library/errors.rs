//! What people read when something is not as it should be.

use crate::{call, instantiate};
use std::io;
use wrt_tests::matrix;
use wrt_vm::compiler::Target;
use wrt_vm::{EngineKind, Error, Module, Value, WasiConfig};

const MODULE: &str = r#"(module
    (func (export "f") (param i32 f64) (result i64) (i64.const 0))
    (memory (export "m") 1)
    (global (export "g") i32 (i32.const 0)))"#;

#[test]
fn a_missing_export_is_named_with_what_its_name_stands_for() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, MODULE);
        for (error, texts) in [
            (vm.function(instance, "no-such").err(), ["no function named `no-such`", ""]),
            (vm.function(instance, "m").err(), ["`m` is a memory", "not a function"]),
            (vm.memory(instance, "g").err(), ["`g` is a global", "not a memory"]),
            (vm.memory(instance, "").err(), ["no memory named ``", ""]),
            (vm.global(instance, "f").err(), ["`f` is a function", "not a global"]),
        ] {
            let Some(error @ Error::NoSuchExport(_)) = error else { panic!("{setup}: {error:?}") };
            let shown = error.to_string();
            assert!(texts.iter().all(|text| shown.contains(text)), "{setup}: {shown}");
        }
        let error = vm.function(instance, &"x".repeat(100_000)).unwrap_err();
        assert!(matches!(error, Error::TooLong(_)), "{setup}: {error:?}");
    }
}

#[test]
fn wrong_types_are_told_with_the_right_ones() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, MODULE);
        for values in [
            &[][..],
            &[Value::I32(1)],
            &[Value::I32(1), Value::F32(1)],
            &[Value::F64(1), Value::I32(1)],
            &[Value::I32(1), Value::F64(1), Value::I32(1)],
        ] {
            let error = call(&mut vm, instance, "f", values).unwrap_err();
            assert!(matches!(error, Error::TypeMismatch(_)), "{setup}: {error:?}");
            let types: Vec<&str> = values.iter().map(|value| value.ty().name()).collect();
            let shown = error.to_string();
            assert!(shown.contains("(i32, f64)"), "{shown}");
            assert!(shown.contains(&format!("not ({})", types.join(", "))), "{shown}");
        }
        call(&mut vm, instance, "f", &[Value::I32(1), Value::F64(1)]).unwrap();
    }
}

#[test]
fn an_invalid_module_is_told_with_offset_and_reason() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let text = "(module (func (result i32) (i64.const 1)))";
        let error = vm.load(&Module::from_text(text).unwrap()).unwrap_err();
        let shown = error.to_string();
        let Error::InvalidModule { offset: Some(offset), reason } = error else {
            panic!("{setup}: {shown}")
        };
        assert!(offset > 8, "{setup}: {offset}");
        assert!(reason.contains("type mismatch"), "{setup}: {reason}");
        assert!(shown.starts_with(&format!("invalid module at offset {offset:#x}: ")), "{shown}");
        instantiate(&mut vm, MODULE);
    }
}

#[test]
fn text_of_a_module_cannot_reach_into_a_terminal() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let text = "(module (import \"a\\1b[31m\" \"b\\0a\\07\\e2\\80\\ae\" (func)))";
        let error = crate::try_instantiate(&mut vm, text).unwrap_err().to_string();
        let harmless = |c: char| !c.is_control() && c != '\u{202e}';
        assert!(error.chars().all(harmless), "{setup}: {error:?}");
    }
}

/// Code that no compiler made ends in an error, and the VM goes on.
#[test]
fn an_artefact_that_is_none_is_refused_in_the_guest() {
    for setup in matrix() {
        let mut vm = setup.vm();
        for len in [4, 64, 5000, 1 << 20] {
            let mut bytes = vec![0xff; len];
            bytes[..4].copy_from_slice(b"\x7fELF");
            let artefact = Module::from_code(&bytes, Target::baseline(Target::ARCH)).unwrap();
            let error = vm.load(&artefact).unwrap_err();
            let refused = match setup.engine {
                EngineKind::Native => matches!(error, Error::UnusableArtifact(_)),
                EngineKind::Interp => matches!(error, Error::Engine(_)),
            };
            assert!(refused, "{setup}: {len}: {error}");
        }
        let instance = super::instantiate(&mut vm, "(module (func (export \"f\")))");
        super::call(&mut vm, instance, "f", &[]).unwrap();
    }
}

/// What the host judges by itself needs no VM.
#[test]
fn what_does_not_begin_like_a_module_is_refused_at_once() {
    for (bytes, text) in [
        (&b""[..], "empty"),
        (b"\0as", "begins with 00 61 73"),
        (b"\x7fELF\x02\x01", "begins with 7f 45 4c 46"),
    ] {
        let error = Module::from_bytes(bytes).unwrap_err();
        assert!(matches!(error, Error::NotWasm(_)), "{error:?}");
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = Module::from_text("(module (func (no.such.instruction)))").unwrap_err();
    assert!(error.to_string().contains("no.such.instruction"), "{error}");
    let error = Module::from_file("/no/such/file.wasm").unwrap_err();
    assert!(error.to_string().contains("cannot read /no/such/file.wasm"), "{error}");
    assert!(
        matches!(error, Error::Read { error: source, .. } if source.kind() == io::ErrorKind::NotFound)
    );
}

#[test]
fn words_that_would_be_cut_are_refused() {
    for setup in matrix() {
        let worlds = [
            WasiConfig::new().arg("a\0b"),
            WasiConfig::new().env("a\0b", "value"),
            WasiConfig::new().env("name", "a\0b"),
            WasiConfig::new().dir(std::env::temp_dir(), "/a\0b"),
        ];
        for world in worlds {
            let error = setup.builder().wasi(world).build().err().expect("it is refused");
            assert!(matches!(error, Error::Wasi(_)), "{setup}: {error:?}");
            assert!(error.to_string().contains("zero byte"), "{setup}: {error}");
        }
    }
}

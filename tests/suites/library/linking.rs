//! Exports, and modules that use each other.

use crate::{call, instantiate, try_instantiate};
use wrt_tests::matrix;
use wrt_vm::vm::Export;
use wrt_vm::{Error, Value};

#[test]
fn exports_are_listed_in_order_with_their_kinds() {
    let text = r#"(module
        (func (export "f")) (memory (export "m") 1) (table (export "t") 1 funcref)
        (global (export "g") i32 (i32.const 0)) (export "again" (func 0)) (export "" (func 0)))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        let exports = vm.exports(instance).unwrap();
        let wanted = [
            ("function", "f"),
            ("memory", "m"),
            ("table", "t"),
            ("global", "g"),
            ("function", "again"),
            ("function", ""),
        ]
        .map(|(kind, name)| Export { kind: kind.to_owned(), name: name.to_owned() });
        let sorted = |mut list: Vec<Export>| {
            list.sort_by(|a, b| a.name.cmp(&b.name));
            list
        };
        assert_eq!(sorted(exports), sorted(wanted.to_vec()), "{setup}");

        let instance = instantiate(&mut vm, "(module)");
        assert_eq!(vm.exports(instance).unwrap(), [], "{setup}: a module without exports");
    }
}

#[test]
fn more_exports_than_one_answer_holds_are_all_listed() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let names: Vec<String> = (0..3000).map(|n| format!("export number {n:04}")).collect();
        let list: String =
            names.iter().map(|name| format!("(export \"{name}\" (func 0))")).collect();
        let instance = instantiate(&mut vm, &format!("(module (func) {list})"));
        let mut listed: Vec<String> =
            vm.exports(instance).unwrap().into_iter().map(|export| export.name).collect();
        listed.sort();
        assert_eq!(listed, names, "{setup}");
    }
}

#[test]
fn a_list_of_exports_that_cannot_be_whole_is_an_error() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let long = "x".repeat(20_000);
        let text = format!(r#"(module (func) (export "a" (func 0)) (export "{long}" (func 0)))"#);
        let instance = instantiate(&mut vm, &text);
        let error = vm.exports(instance).unwrap_err();
        assert!(matches!(error, Error::TooLong(_)), "{setup}: {error:?}");
        call(&mut vm, instance, "a", &[]).unwrap();
    }
}

#[test]
fn two_modules_share_functions_memory_tables_and_globals() {
    let provider = r#"(module
        (memory (export "memory") 1)
        (global (export "count") (mut i32) (i32.const 10))
        (table (export "table") 2 funcref)
        (elem (i32.const 0) $seven)
        (func $seven (result i32) (i32.const 7))
        (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))"#;
    let user = r#"(module
        (import "provider" "memory" (memory 1))
        (import "provider" "count" (global $count (mut i32)))
        (import "provider" "table" (table 2 funcref))
        (import "provider" "twice" (func $twice (param i32) (result i32)))
        (type $answer (func (result i32)))
        (func (export "use") (result i32)
            (i32.store (i32.const 16) (i32.const 0x01020304))
            (global.set $count (i32.add (global.get $count) (i32.const 1)))
            (i32.add (call $twice (i32.const 4)) (call_indirect (type $answer) (i32.const 0)))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let one = instantiate(&mut vm, provider);
        vm.register(one, "provider").unwrap();
        let two = instantiate(&mut vm, user);
        assert_eq!(call(&mut vm, two, "use", &[]).unwrap(), [Value::I32(15)], "{setup}");
        let memory = vm.memory(one, "memory").unwrap();
        let mut bytes = [0; 4];
        vm.read_memory(memory, 16, &mut bytes).unwrap();
        assert_eq!(bytes, [4, 3, 2, 1], "{setup}: the memory is one");
        assert_eq!(vm.global(one, "count").unwrap(), Value::I32(11), "{setup}");

        // The name may be given to another instance, for later ones.
        let other = instantiate(&mut vm, &provider.replace("i32.const 2)", "i32.const 3)"));
        vm.register(other, "provider").unwrap();
        let three = instantiate(&mut vm, user);
        assert_eq!(call(&mut vm, three, "use", &[]).unwrap(), [Value::I32(19)], "{setup}");
        assert_eq!(call(&mut vm, two, "use", &[]).unwrap(), [Value::I32(15)], "{setup}");
    }
}

#[test]
fn one_module_has_any_number_of_instances_that_share_nothing() {
    let text = r#"(module (global $n (mut i32) (i32.const 0))
        (func (export "next") (result i32)
            (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let module = wrt_vm::Module::from_text(text).unwrap();
        let loaded = vm.load(&module).unwrap();
        let instances: Vec<_> = (0..20).map(|_| vm.instantiate(loaded).unwrap()).collect();
        for round in 1..4 {
            for instance in &instances {
                let next = call(&mut vm, *instance, "next", &[]).unwrap();
                assert_eq!(next, [Value::I32(round)], "{setup}");
            }
        }
    }
}

#[test]
fn an_import_that_cannot_be_linked_is_named() {
    let cases = [
        (r#"(module (import "env" "missing" (func)))"#, "env", "missing"),
        (r#"(module (import "" "" (global i32)))"#, "", ""),
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_fly" (func)))"#,
            "wasi_snapshot_preview1",
            "fd_fly",
        ),
        (
            r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i64))))"#,
            "wasi_snapshot_preview1",
            "fd_close",
        ),
        (r#"(module (import "other" "f" (func (param i32))))"#, "other", "f"),
        (r#"(module (import "other" "f" (memory 1)))"#, "other", "f"),
        (r#"(module (import "other" "g" (global (mut i32))))"#, "other", "g"),
        (r#"(module (import "other" "m" (memory 3)))"#, "other", "m"),
        (r#"(module (import "other" "t" (table 3 funcref)))"#, "other", "t"),
    ];
    for setup in matrix() {
        let mut vm = setup.vm();
        let other = instantiate(
            &mut vm,
            r#"(module (func (export "f")) (global (export "g") i32 (i32.const 0))
                (memory (export "m") 1) (table (export "t") 1 funcref))"#,
        );
        vm.register(other, "other").unwrap();
        for (text, wanted_module, wanted_name) in cases {
            let error = try_instantiate(&mut vm, text).unwrap_err();
            let shown = error.to_string();
            let Error::Unlinkable { module, name, reason } = error else {
                panic!("{setup}: {text}: {shown}")
            };
            assert_eq!((&*module, &*name), (wanted_module, wanted_name), "{setup}: {text}");
            assert!(!reason.is_empty());
            assert!(shown.contains(&format!("`{module}` `{name}`")), "{shown}");
        }
    }
}

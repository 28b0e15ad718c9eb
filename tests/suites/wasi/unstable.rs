//! Preview 0, `wasi_unstable`, where it differs from preview 1.

use std::fmt::Write as _;
use wrt_abi::services::ServiceId;
use wrt_abi::value::ValueType;
use wrt_tests::matrix;
use wrt_vm::{Error, Module, WasiConfig};

/// Ends the program with `number` if `errno` is one, or if two values differ.
const CHECKS: &str = r#"
    (func $ok (param $number i32) (param $errno i32)
        (if (local.get $errno) (then (call $exit (local.get $number)))))
    (func $same (param $number i32) (param $value i64) (param $wanted i64)
        (if (i64.ne (local.get $value) (local.get $wanted))
            (then (call $exit (local.get $number)))))"#;

/// Opens `file`, of ten bytes, as descriptor 4 or so, at 64; then `body`.
fn program(body: &str) -> String {
    format!(
        r#"(module
    (import "wasi_unstable" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_unstable" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
    (import "wasi_unstable" "fd_tell" (func $tell (param i32 i32) (result i32)))
    (import "wasi_unstable" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
    (import "wasi_unstable" "path_filestat_get"
        (func $stat_at (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasi_unstable" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
    (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "file")
    {CHECKS}
    (func (export "_start")
        (call $ok (i32.const 1) (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
            (i32.const 0) (i64.const 6) (i64.const 0) (i32.const 0) (i32.const 64)))
        {body}))"#
    )
}

/// Moves from `whence` by `offset`; the position must then be `wanted`.
fn seek(number: u32, offset: i64, whence: u32, wanted: i64) -> String {
    format!(
        "(call $ok (i32.const {number}) (call $seek (i32.load (i32.const 64))
            (i64.const {offset}) (i32.const {whence}) (i32.const 72)))
        (call $same (i32.const {number}) (i64.load (i32.const 72)) (i64.const {wanted}))"
    )
}

/// A `filestat` at 512: one link, ten bytes, nothing behind it.
fn stat(number: u32, call: &str) -> String {
    format!(
        "(i64.store (i32.const 568) (i64.const -1))
        (call $ok (i32.const {number}) {call})
        (call $same (i32.const {number}) (i64.load8_u (i32.const 528)) (i64.const 4))
        (call $same (i32.const {number}) (i64.load32_u (i32.const 532)) (i64.const 1))
        (call $same (i32.const {number}) (i64.load (i32.const 536)) (i64.const 10))
        (call $same (i32.const {number}) (i64.load (i32.const 568)) (i64.const -1))"
    )
}

/// Two subscriptions of 56 bytes, to the file and to a clock, of which the file is ready.
const POLL: &str = "
    (i64.store (i32.const 1024) (i64.const 7))
    (i32.store8 (i32.const 1032) (i32.const 1))
    (i32.store (i32.const 1040) (i32.load (i32.const 64)))
    (i64.store (i32.const 1080) (i64.const 8))
    (i64.store (i32.const 1096) (i64.const 99))
    (i32.store (i32.const 1104) (i32.const 1))
    (i64.store (i32.const 1112) (i64.const 3600000000000))
    (call $ok (i32.const 9) (call $poll (i32.const 1024) (i32.const 2048) (i32.const 2)
        (i32.const 80)))
    (call $same (i32.const 9) (i64.load32_u (i32.const 80)) (i64.const 1))
    (call $same (i32.const 10) (i64.load (i32.const 2048)) (i64.const 7))
    (call $same (i32.const 11) (i64.load8_u (i32.const 2058)) (i64.const 1))
    ;; The clock alone, in a millisecond.
    (i64.store (i32.const 1112) (i64.const 1000000))
    (call $ok (i32.const 12) (call $poll (i32.const 1080) (i32.const 2048) (i32.const 1)
        (i32.const 80)))
    (call $same (i32.const 12) (i64.load (i32.const 2048)) (i64.const 8))
    (call $same (i32.const 13) (i64.load8_u (i32.const 2058)) (i64.const 0))";

#[test]
fn programs_of_preview_0_run() {
    let by_descriptor = "(call $stat (i32.load (i32.const 64)) (i32.const 512))";
    let by_path = "(call $stat_at (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4)
        (i32.const 512))";
    let text = program(
        &[
            // From where it is, from the end, from the start.
            seek(2, 3, 0, 3),
            seek(3, 3, 0, 6),
            seek(4, -1, 1, 9),
            seek(5, 2, 2, 2),
            stat(6, by_descriptor),
            stat(7, by_path),
            POLL.to_owned(),
            "(call $exit (i32.const 200))".to_owned(),
        ]
        .concat(),
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "0123456789").unwrap();
    for setup in matrix() {
        let wasi = WasiConfig::new().dir(folder.path(), ".");
        let mut vm = setup.builder().wasi(wasi).build().unwrap();
        let module = vm.load(&setup.module(Module::from_text(&text).unwrap())).unwrap();
        let instance = vm.instantiate(module).unwrap();
        let ended = vm.run(instance);
        assert!(matches!(ended, Err(Error::Exit(200))), "{setup}: {ended:?}");
    }
}

#[test]
fn preview_0_has_no_more_functions_than_it_had() {
    let text = r#"(module (import "wasi_unstable" "sock_accept"
        (func (param i32 i32 i32) (result i32))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let module = vm.load(&setup.module(Module::from_text(text).unwrap())).unwrap();
        let error = vm.instantiate(module).unwrap_err();
        assert!(matches!(error, Error::Unlinkable { .. }), "{setup}: {error}");
    }
}

/// All of them, in one program with those of preview 1.
#[test]
fn programs_may_import_all_of_both() {
    let mut text = String::from("(module");
    for import in ServiceId::Wasi.imports() {
        let function = import.function();
        let params = function.param_types(ValueType::I32).map(ValueType::name);
        let params = params.collect::<Vec<_>>().join(" ");
        let result = if function.result.is_some() { "(result i32)" } else { "" };
        let (module, name) = (import.module().name, function.name);
        let _ = write!(text, r#"(import "{module}" "{name}" (func (param {params}) {result}))"#);
    }
    text.push_str(r#"(memory (export "memory") 1) (func (export "_start")))"#);
    assert_eq!(text.matches(r#""wasi_unstable""#).count(), 45);
    for setup in matrix() {
        let mut vm = setup.vm();
        let module = vm.load(&setup.module(Module::from_text(&text).unwrap())).unwrap();
        let instance = vm.instantiate(module).unwrap_or_else(|error| panic!("{setup}: {error}"));
        vm.run(instance).unwrap_or_else(|error| panic!("{setup}: {error}"));
    }
}

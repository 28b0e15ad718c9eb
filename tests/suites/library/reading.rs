//! Files that are read by small pieces: few exits, and never bytes that are out of date.

use crate::instantiate;
use wrt_tests::matrix;
use wrt_vm::vm::ServiceId;
use wrt_vm::{MicroVm, Value, WasiConfig};

/// Opens `file`; and reads `count` times `size` bytes, which it adds up the first bytes of.
const READER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
        (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (data (i32.const 64) "file")
    (func (export "open") (result i32)
        (if (call $open (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 4) (i32.const 0)
              (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 16))
          (then unreachable))
        (i32.load (i32.const 16)))
    (func (export "read") (param $fd i32) (param $size i32) (param $count i32) (result i32)
        (local $sum i32)
        (i32.store (i32.const 0) (i32.const 4096))
        (i32.store (i32.const 4) (local.get $size))
        (loop $again
            (if (call $read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
              (then unreachable))
            (if (i32.ne (i32.load (i32.const 8)) (local.get $size)) (then unreachable))
            (local.set $sum (i32.add (local.get $sum) (i32.load8_u (i32.const 4096))))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br_if $again (local.get $count)))
        (local.get $sum)))"#;

const SIZE: usize = 1 << 20;

/// Has a VM read `file` by [`READER`], as the test wants; returns how many of WASI's exits it took.
fn reading(
    mut vm: MicroVm,
    test: impl FnOnce(&mut dyn FnMut(i32, i32) -> i32, &dyn Fn(u8)),
) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    let write = |byte| std::fs::write(&file, vec![byte; SIZE]).expect("a file");
    write(1);
    vm.reset_with(WasiConfig::new().dir(folder.path(), ".")).expect("a reset");
    let instance = instantiate(&mut vm, READER);
    let [open, read] =
        ["open", "read"].map(|name| vm.function(instance, name).expect("a function"));
    let opened = vm.call(&open, &[]).expect("a file opens");
    let [Value::I32(fd)] = opened[..] else { panic!("no descriptor: {opened:?}") };
    let before = vm.usage().exits.of(ServiceId::Wasi);
    let mut read = |size, count| {
        let arguments = [fd, size, count].map(Value::I32);
        match vm.call(&read, &arguments).expect("a file is read")[..] {
            [Value::I32(sum)] => sum,
            ref other => panic!("{other:?}"),
        }
    };
    test(&mut read, &write);
    vm.usage().exits.of(ServiceId::Wasi) - before
}

#[test]
fn small_reads_of_a_file_take_few_exits() {
    for setup in matrix() {
        for (size, most) in [(1000, 20), (4096, 20), (64 << 10, 14)] {
            let count = i32::try_from(SIZE).unwrap() / size;
            let exits = reading(setup.vm(), |read, _| {
                assert_eq!(read(size, count), count, "{setup}");
            });
            assert!(exits <= most, "{setup}: {exits} exits to read by {size} bytes");
        }
    }
}

#[test]
fn a_file_that_others_change_between_two_calls_is_read_as_it_is_then() {
    for setup in matrix() {
        reading(setup.vm(), |read, write| {
            for byte in [1, 2, 3] {
                write(byte);
                assert_eq!(read(1000, 50), 50 * i32::from(byte), "{setup}");
            }
        });
    }
}

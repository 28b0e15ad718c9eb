//! Instructions over ranges of memories and tables: all or nothing.

use crate::{call, instantiate};
use wrt_tests::matrix;
use wrt_vm::error::TrapKind;
use wrt_vm::{Error, Value};

const SIZE: i64 = 64 << 10;
const ALL: i64 = 1 << 32;

/// What an instruction over a range is to do.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Works,
    Traps,
}
use Outcome::{Traps, Works};

/// Instructions on a memory of one page and a data segment of 8 bytes: destination, then source
/// or value, then length.
const MEMORY: &[(&str, [i64; 3], Outcome)] = &[
    ("fill", [0, 7, SIZE], Works),
    ("fill", [SIZE, 7, 0], Works),
    ("fill", [SIZE - 1, 7, 1], Works),
    ("fill", [0, 7, SIZE + 1], Traps),
    ("fill", [SIZE - 1, 7, 2], Traps),
    ("fill", [SIZE, 7, 1], Traps),
    ("fill", [SIZE + 1, 7, 0], Traps),
    ("fill", [1, 7, ALL - 1], Traps),
    ("fill", [ALL - 1, 7, 1], Traps),
    ("fill", [ALL - 1, 7, ALL - 1], Traps),
    ("fill", [ALL / 2, 7, ALL / 2], Traps),
    ("copy", [0, 1, SIZE - 1], Works),
    ("copy", [1, 0, SIZE - 1], Works),
    ("copy", [SIZE, SIZE, 0], Works),
    ("copy", [0, 0, SIZE + 1], Traps),
    ("copy", [1, 0, SIZE], Traps),
    ("copy", [0, 1, SIZE], Traps),
    ("copy", [SIZE + 1, 0, 0], Traps),
    ("copy", [0, SIZE + 1, 0], Traps),
    ("copy", [0, ALL - 1, 2], Traps),
    ("copy", [ALL - 1, 0, 2], Traps),
    ("copy", [ALL / 2, ALL / 2, ALL - 1], Traps),
    ("init", [SIZE - 8, 0, 8], Works),
    ("init", [SIZE, 8, 0], Works),
    ("init", [0, 0, 9], Traps),
    ("init", [0, 1, 8], Traps),
    ("init", [0, 9, 0], Traps),
    ("init", [SIZE - 7, 0, 8], Traps),
    ("init", [SIZE + 1, 0, 0], Traps),
    ("init", [ALL - 1, 0, 2], Traps),
    ("init", [0, ALL - 1, 2], Traps),
    ("init", [0, 0, ALL - 1], Traps),
];

/// As [`MEMORY`], for addresses that only 64 bits hold.
const MEMORY_64: &[(&str, [i64; 3], Outcome)] = &[
    ("fill", [ALL, 7, 0], Traps),
    ("fill", [-1, 7, 1], Traps),
    ("fill", [1, 7, -1], Traps),
    ("fill", [i64::MIN, 7, i64::MIN], Traps),
    ("copy", [-1, 0, 2], Traps),
    ("copy", [0, -1, 2], Traps),
    ("copy", [-SIZE, -SIZE, SIZE + 1], Traps),
    ("copy", [0, 0, ALL], Traps),
    ("init", [ALL, 0, 1], Traps),
    ("init", [-1, 0, 2], Traps),
    ("init", [-8, 0, 8], Traps),
];

fn memory_module(address: &str) -> String {
    // The segment's offset and length always have 32 bits.
    format!(
        r#"(module (memory (export "memory") {address} 1) (data $segment "\01\02\03\04\05\06\07\08")
            (func (export "fill") (param {address} i32 {address})
                (memory.fill (local.get 0) (local.get 1) (local.get 2)))
            (func (export "copy") (param {address} {address} {address})
                (memory.copy (local.get 0) (local.get 1) (local.get 2)))
            (func (export "init") (param {address} i32 i32)
                (memory.init $segment (local.get 0) (local.get 1) (local.get 2)))
            (func (export "drop") (data.drop $segment)))"#
    )
}

/// Numbers as the function takes them.
#[expect(clippy::cast_possible_truncation, reason = "32-bit numbers have 32 bits")]
fn values(function: &wrt_vm::vm::Function, numbers: &[i64]) -> Vec<Value> {
    let types = function.ty().params.iter();
    let value = |(ty, number): (&wrt_vm::vm::ValueType, &i64)| match ty {
        wrt_vm::vm::ValueType::I32 => Value::I32(*number as i32),
        _ => Value::I64(*number),
    };
    types.zip(numbers).map(value).collect()
}

#[test]
fn a_range_that_leaves_a_memory_traps_before_a_byte_is_written() {
    for setup in matrix() {
        for address in ["i32", "i64"] {
            let mut vm = setup.vm();
            let instance = instantiate(&mut vm, &memory_module(address));
            let memory = vm.memory(instance, "memory").unwrap();
            let pattern: Vec<u8> = (0..SIZE).map(|at| (at % 251).to_le_bytes()[0]).collect();
            let more = if address == "i64" { MEMORY_64 } else { &[] };
            for (name, numbers, outcome) in MEMORY.iter().chain(more) {
                let what = format!("{setup}: {address}: {name} {numbers:x?}");
                vm.write_memory(memory, 0, &pattern).unwrap();
                let function = vm.function(instance, name).unwrap();
                let result = vm.call(&function, &values(&function, numbers));
                let mut after = vec![0; pattern.len()];
                vm.read_memory(memory, 0, &mut after).unwrap();
                match (outcome, result) {
                    (Works, Ok(_)) => {
                        assert_eq!(after != pattern, numbers[2] != 0, "{what}: what was written");
                    }
                    (Traps, Err(Error::Trap(trap))) => {
                        assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{what}");
                        assert!(after == pattern, "{what}: something was written");
                    }
                    (_, other) => panic!("{what}: {other:?}"),
                }
            }
            // A segment that was dropped is empty.
            call(&mut vm, instance, "drop", &[]).unwrap();
            let init = vm.function(instance, "init").unwrap();
            vm.call(&init, &values(&init, &[0, 0, 0])).unwrap();
            let error = vm.call(&init, &values(&init, &[0, 0, 1])).unwrap_err();
            assert!(
                matches!(&error, Error::Trap(trap) if trap.kind == TrapKind::MemoryOutOfBounds),
                "{setup}: {error}"
            );
        }
    }
}

/// Instructions on a table of ten elements and a segment of four.
const TABLE: &[(&str, [i64; 3], Outcome)] = &[
    ("get", [9, 0, 0], Works),
    ("get", [10, 0, 0], Traps),
    ("get", [ALL / 2, 0, 0], Traps),
    ("get", [ALL - 1, 0, 0], Traps),
    ("set", [9, 0, 0], Works),
    ("set", [10, 0, 0], Traps),
    ("set", [ALL - 1, 0, 0], Traps),
    ("fill", [0, 10, 0], Works),
    ("fill", [10, 0, 0], Works),
    ("fill", [0, 11, 0], Traps),
    ("fill", [11, 0, 0], Traps),
    ("fill", [1, ALL - 1, 0], Traps),
    ("copy", [0, 1, 9], Works),
    ("copy", [10, 10, 0], Works),
    ("copy", [1, 0, 10], Traps),
    ("copy", [0, 1, 10], Traps),
    ("copy", [11, 0, 0], Traps),
    ("copy", [0, 11, 0], Traps),
    ("copy", [ALL - 1, 0, 2], Traps),
    ("copy", [0, ALL - 1, 2], Traps),
    ("init", [6, 0, 4], Works),
    ("init", [10, 4, 0], Works),
    ("init", [7, 0, 4], Traps),
    ("init", [0, 1, 4], Traps),
    ("init", [0, 5, 0], Traps),
    ("init", [11, 0, 0], Traps),
    ("init", [ALL - 1, 0, 2], Traps),
    ("init", [0, ALL - 1, 2], Traps),
];

const TABLE_MODULE: &str = r#"(module
    (table $table 10 20 funcref) (elem $segment func $f $f $f $f)
    (func $f)
    (func (export "get") (param i32) (drop (table.get (local.get 0))))
    (func (export "set") (param i32) (table.set (local.get 0) (ref.func $f)))
    (func (export "fill") (param i32 i32)
        (table.fill (local.get 0) (ref.func $f) (local.get 1)))
    (func (export "copy") (param i32 i32 i32)
        (table.copy (local.get 0) (local.get 1) (local.get 2)))
    (func (export "init") (param i32 i32 i32)
        (table.init $segment (local.get 0) (local.get 1) (local.get 2)))
    (func (export "grow") (param i32) (result i32)
        (table.grow (ref.null func) (local.get 0)))
    (func (export "clear") (table.fill (i32.const 0) (ref.null func) (i32.const 10)))
    (func (export "count") (result i32) (local $at i32) (local $count i32)
        (loop $next
            (local.set $count (i32.add (local.get $count)
                (i32.eqz (ref.is_null (table.get (local.get $at))))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 10))))
        (local.get $count)))"#;

#[test]
fn a_range_that_leaves_a_table_traps_before_an_element_is_written() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TABLE_MODULE);
        for (name, numbers, outcome) in TABLE {
            let what = format!("{setup}: {name} {numbers:x?}");
            call(&mut vm, instance, "clear", &[]).unwrap();
            let function = vm.function(instance, name).unwrap();
            match (outcome, vm.call(&function, &values(&function, numbers))) {
                (Works, Ok(_)) => {}
                (Traps, Err(Error::Trap(trap))) => {
                    assert_eq!(trap.kind, TrapKind::TableOutOfBounds, "{what}");
                    let count = call(&mut vm, instance, "count", &[]).unwrap();
                    assert_eq!(count, [Value::I32(0)], "{what}: something was written");
                }
                (_, other) => panic!("{what}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_table_that_cannot_grow_says_so_and_stays() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TABLE_MODULE);
        for (by, answer) in [(11, -1), (-1, -1), (i32::MAX, -1), (0, 10), (10, 10), (1, -1)] {
            let grown = call(&mut vm, instance, "grow", &[Value::I32(by)]).unwrap();
            assert_eq!(grown, [Value::I32(answer)], "{setup}: by {by}");
        }
        call(&mut vm, instance, "get", &[Value::I32(19)]).unwrap();
        let error = call(&mut vm, instance, "get", &[Value::I32(20)]).unwrap_err();
        assert!(
            matches!(&error, Error::Trap(trap) if trap.kind == TrapKind::TableOutOfBounds),
            "{setup}: {error}"
        );
    }
}

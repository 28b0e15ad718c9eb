//! Traps of garbage collection, function references and exceptions, which the native engine
//! has.

use crate::{call, instantiate};
use wrt_tests::{Setup, matrix};
use wrt_vm::error::TrapKind;
use wrt_vm::{EngineKind, Error, Value};

const TRAPS: &str = r#"(module
    (type $none (func))
    (rec
        (type $array (array (mut i32)))
        (type $bytes (array (mut i8)))
        (type $references (array (mut funcref)))
        (type $pair (struct (field (mut i32)) (field i64)))
        (type $base (sub (struct (field i32))))
        (type $derived (sub $base (struct (field i32) (field i32)))))
    (table $table 1 (ref null $none))
    (tag $thrown (param i32))
    (data $data "\01\02\03\04\05\06\07\08")
    (elem $functions funcref (ref.func $fine))
    (func $fine (export "fine") (result i32) (i32.const 42))

    (func (export "call a null") (call_ref $none (ref.null $none)))
    (func (export "tail-call a null") (return_call_ref $none (ref.null $none)))
    (func (export "call a null of a table") (call_indirect $table (type $none) (i32.const 0)))
    (func (export "take a null for none") (drop (ref.as_non_null (ref.null any))))
    (func (export "read a null struct") (result i64) (struct.get $pair 1 (ref.null $pair)))
    (func (export "write a null struct") (struct.set $pair 0 (ref.null $pair) (i32.const 1)))
    (func (export "read a null array") (result i32)
        (array.get $array (ref.null $array) (i32.const 0)))
    (func (export "length of a null") (result i32) (array.len (ref.null array)))
    (func (export "number in a null") (result i32) (i31.get_s (ref.null i31)))
    (func (export "fill a null") (param i32)
        (array.fill $array (ref.null $array) (i32.const 0) (i32.const 0) (local.get 0)))
    (func (export "throw a null") (throw_ref (ref.null exn)))

    (func (export "read at") (param i32) (result i32)
        (array.get $array (array.new $array (i32.const 42) (i32.const 3)) (local.get 0)))
    (func (export "write at") (param i32)
        (array.set $array (array.new $array (i32.const 42) (i32.const 3)) (local.get 0)
            (i32.const 1)))
    (func (export "fill from") (param i32)
        (array.fill $array (array.new $array (i32.const 42) (i32.const 3)) (local.get 0)
            (i32.const 1) (i32.const 2)))
    (func (export "copy from") (param i32)
        (array.copy $array $array
            (array.new $array (i32.const 1) (i32.const 3)) (i32.const 0)
            (array.new $array (i32.const 2) (i32.const 3)) (local.get 0) (i32.const 2)))
    (func (export "data from") (param i32)
        (drop (array.new_data $bytes $data (local.get 0) (i32.const 2))))
    (func (export "elements from") (param i32)
        (drop (array.new_elem $references $functions (local.get 0) (i32.const 1))))
    (func (export "data into") (param i32)
        (array.init_data $bytes $data
            (array.new_default $bytes (i32.const 3)) (local.get 0) (i32.const 0) (i32.const 2)))

    (func (export "cast") (param i32)
        (local $one (ref null $base))
        (local.set $one (if (result (ref $base)) (local.get 0)
            (then (struct.new_default $base)) (else (struct.new_default $derived))))
        (drop (ref.cast (ref $derived) (local.get $one))))
    (func (export "cast a null") (drop (ref.cast (ref $base) (ref.null any))))
    (func (export "cast a number") (drop (ref.cast (ref struct) (ref.i31 (i32.const 1)))))

    (func (export "array of") (param i32) (result i32)
        (array.len (array.new_default $array (local.get 0))))
    (func $throw (export "throw") (throw $thrown (i32.const 7)))
    (func (export "throw on")
        (block $caught (result exnref)
            (try_table (catch_all_ref $caught) (call $throw))
            (unreachable))
        (throw_ref))
    (func (export "catch") (result i32)
        (block $caught (result i32)
            (try_table (result i32) (catch $thrown $caught) (call $throw) (i32.const 0)))))"#;

fn setups() -> impl Iterator<Item = Setup> {
    matrix().into_iter().filter(|setup| setup.engine == EngineKind::Native)
}

#[test]
fn each_trap_has_its_kind_and_the_vm_goes_on() {
    use TrapKind::{
        AllocationTooLarge, ArrayOutOfBounds, CastFailure, IndirectCallToNull, MemoryOutOfBounds,
        NullReference, TableOutOfBounds, UncaughtException,
    };
    for setup in setups() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TRAPS);
        for (name, argument, kind) in [
            ("call a null", None, NullReference),
            ("tail-call a null", None, NullReference),
            ("call a null of a table", None, IndirectCallToNull),
            ("take a null for none", None, NullReference),
            ("read a null struct", None, NullReference),
            ("write a null struct", None, NullReference),
            ("read a null array", None, NullReference),
            ("length of a null", None, NullReference),
            ("number in a null", None, NullReference),
            ("fill a null", Some(0), NullReference),
            ("fill a null", Some(1), NullReference),
            ("throw a null", None, NullReference),
            ("read at", Some(3), ArrayOutOfBounds),
            ("read at", Some(i32::MIN), ArrayOutOfBounds),
            ("read at", Some(-1), ArrayOutOfBounds),
            ("write at", Some(3), ArrayOutOfBounds),
            ("write at", Some(-1), ArrayOutOfBounds),
            ("fill from", Some(2), ArrayOutOfBounds),
            ("fill from", Some(-1), ArrayOutOfBounds),
            ("copy from", Some(2), ArrayOutOfBounds),
            ("copy from", Some(-1), ArrayOutOfBounds),
            ("data from", Some(7), MemoryOutOfBounds),
            ("data from", Some(-1), MemoryOutOfBounds),
            ("elements from", Some(1), TableOutOfBounds),
            ("elements from", Some(-1), TableOutOfBounds),
            ("data into", Some(2), ArrayOutOfBounds),
            ("cast", Some(1), CastFailure),
            ("cast a null", None, CastFailure),
            ("cast a number", None, CastFailure),
            // A length whose bytes no 32 bits can count.
            ("array of", Some(-1), AllocationTooLarge),
            ("array of", Some(0x4000_0000), AllocationTooLarge),
            ("throw", None, UncaughtException),
            ("throw on", None, UncaughtException),
        ] {
            let values: Vec<Value> = argument.map(Value::I32).into_iter().collect();
            let what = format!("{setup}: {name} {argument:?}");
            match call(&mut vm, instance, name, &values) {
                Err(Error::Trap(trap)) => assert_eq!(trap.kind, kind, "{what}"),
                other => panic!("{what}: {other:?}"),
            }
            assert_eq!(call(&mut vm, instance, "fine", &[]).unwrap(), [Value::I32(42)], "{what}");
        }
    }
}

#[test]
fn at_the_edges_there_is_no_trap() {
    for setup in setups() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, TRAPS);
        for (name, argument, results) in [
            ("read at", Some(2), &[Value::I32(42)][..]),
            ("write at", Some(2), &[]),
            ("fill from", Some(1), &[]),
            ("copy from", Some(1), &[]),
            ("data from", Some(6), &[]),
            ("elements from", Some(0), &[]),
            ("data into", Some(1), &[]),
            ("cast", Some(0), &[]),
            ("array of", Some(0), &[Value::I32(0)]),
            ("array of", Some(100_000), &[Value::I32(100_000)]),
            ("catch", None, &[Value::I32(7)]),
        ] {
            let values: Vec<Value> = argument.map(Value::I32).into_iter().collect();
            let got = call(&mut vm, instance, name, &values).unwrap();
            assert_eq!(got, results, "{setup}: {name} {argument:?}");
        }
    }
}

/// More is allocated than the VM may have, but never at once: it is collected.
#[test]
fn objects_that_nobody_refers_to_take_no_memory() {
    let text = r#"(module
        (type $array (array (mut i64)))
        (func (export "allocate") (param $rounds i32) (result i32)
            (local $last (ref null $array))
            (loop $next
                (local.set $last (array.new_default $array (i32.const 10000)))
                (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
                (br_if $next (local.get $rounds)))
            (array.len (local.get $last))))"#;
    for setup in setups() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, text);
        // 80 kB each: 8 GB in all.
        let rounds = [Value::I32(100_000)];
        let len = call(&mut vm, instance, "allocate", &rounds).unwrap();
        assert_eq!(len, [Value::I32(10_000)], "{setup}");
    }
}

//! `wrt_log` where nobody listens: this process has no subscriber. What is shown where somebody
//! does is the command line's (`host/cli/tests/cli/log.rs`).

use crate::{call, instantiate};
use wrt_tests::matrix;
use wrt_vm::error::TrapKind;
use wrt_vm::vm::ServiceId;
use wrt_vm::{Error, Value};

/// For a memory with addresses of the type `N`.
const LOG: &str = r#"(module
    (import "wrt_log" "log" (func $log (param i32 N N)))
    (import "wrt_log" "enabled" (func $enabled (param i32) (result i32)))
    (memory (export "memory") N 1)
    (func (export "log") (param i32 N N)
        (call $log (local.get 0) (local.get 1) (local.get 2)))
    (func (export "enabled") (param i32) (result i32) (call $enabled (local.get 0))))"#;

const LEVELS: std::ops::RangeInclusive<i32> = 1..=5;

#[test]
fn lines_that_nobody_wants_cost_no_exit() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, &LOG.replace('N', "i32"));
        for level in LEVELS {
            let enabled = call(&mut vm, instance, "enabled", &[Value::I32(level)]);
            assert_eq!(enabled.unwrap(), [Value::I32(0)], "{setup}");
            let line = [level, 0, 65536].map(Value::I32);
            assert_eq!(call(&mut vm, instance, "log", &line).unwrap(), [], "{setup}");
        }
        assert_eq!(vm.usage().exits.of(ServiceId::Log), 0, "{setup}");
    }
}

#[test]
fn a_level_that_is_none_traps_and_is_not_enabled() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, &LOG.replace('N', "i32"));
        for level in [0, 6, -1, i32::MIN, i32::MAX] {
            let enabled = call(&mut vm, instance, "enabled", &[Value::I32(level)]);
            assert_eq!(enabled.unwrap(), [Value::I32(0)], "{setup}: {level}");
            let ended = call(&mut vm, instance, "log", &[level, 0, 0].map(Value::I32));
            let Err(Error::Trap(trap)) = ended else { panic!("{setup}: {ended:?}") };
            assert_eq!(trap.kind, TrapKind::Host, "{setup}: {level}");
            assert!(trap.message.contains("level"), "{setup}: {trap}");
        }
    }
}

#[test]
fn text_beyond_the_memory_traps_whoever_listens() {
    const END: i64 = 65536;
    for setup in matrix() {
        for (n, wide) in [("i32", false), ("i64", true)] {
            let mut vm = setup.vm();
            let instance = instantiate(&mut vm, &LOG.replace('N', n));
            let size = |size: i64| match i32::try_from(size) {
                Ok(size) if !wide => Value::I32(size),
                _ => Value::I64(size),
            };
            let mut log =
                |at, len| call(&mut vm, instance, "log", &[Value::I32(3), size(at), size(len)]);
            for (at, len) in [(0, 0), (END, 0), (0, END), (END - 1, 1)] {
                assert_eq!(log(at, len).unwrap(), [], "{setup}: {len} at {at}");
            }
            let mut beyond = vec![(END + 1, 0), (END, 1), (1, END), (-1, 0), (-1, -1), (0, -1)];
            if wide {
                beyond.extend([(i64::MIN, 0), (i64::MAX, i64::MAX), (1 << 32, 0), (0, 1 << 32)]);
            }
            for (at, len) in beyond {
                let ended = log(at, len);
                let Err(Error::Trap(trap)) = ended else { panic!("{setup}: {ended:?}") };
                assert_eq!(trap.kind, TrapKind::MemoryOutOfBounds, "{setup}: {len} at {at}");
            }
        }
    }
}

//! VMs that are made ahead.

use std::time::{Duration, Instant};
use wrt_platform::pressure::PressureLevel;
use wrt_tests::{Setup, matrix};
use wrt_vm::pool::PoolCounts;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Module, Pool, Value, WasiConfig};

const AHEAD: usize = 3;

fn pool(setup: Setup) -> Pool {
    let hypervisor = setup.backend.open().expect("a setup has a backend that works");
    Pool::new(setup.builder(), hypervisor.as_ref(), AHEAD)
}

/// Waits until so many are there; says how many there are if they do not come.
fn wait_for(pool: &Pool, idle: usize) -> usize {
    let deadline = Instant::now() + Duration::from_secs(60);
    while pool.idle() != idle && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    pool.idle()
}

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\08\00\00\00\05\00\00\00hello")
    (global $count (mut i32) (i32.const 0))
    (func (export "hello") (result i32)
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (global.get $count)))"#;

#[test]
fn one_is_there_with_the_world_that_it_is_taken_for() {
    let module = Module::from_text(HELLO).unwrap();
    for setup in matrix() {
        let pool = pool(setup);
        assert_eq!(wait_for(&pool, AHEAD), AHEAD, "{setup}");
        for _ in 0..2 * AHEAD {
            assert_eq!(wait_for(&pool, AHEAD), AHEAD, "{setup}: another takes its place");
            let output = OutputBuffer::new(100);
            let world = WasiConfig::new().stdout(Output::Capture(output.clone()));
            let mut vm = pool.take(world).unwrap();
            let loaded = vm.load(&module).unwrap();
            let instance = vm.instantiate(loaded).unwrap();
            let hello = vm.function(instance, "hello").unwrap();
            assert_eq!(vm.call(&hello, &[]).unwrap(), [Value::I32(1)], "{setup}");
            assert_eq!(&output.contents()[..], b"hello", "{setup}");
        }
        let counts = PoolCounts { ready: 2 * AHEAD, ..PoolCounts::default() };
        assert_eq!(pool.counts(), counts, "{setup}");
    }
}

#[test]
fn they_go_on_from_a_snapshot() {
    let module = Module::from_text(HELLO).unwrap();
    for setup in crate::snapshot::sharing() {
        let mut first = setup.vm();
        let loaded = first.load(&module).unwrap();
        let instance = first.instantiate(loaded).unwrap();
        let hello = first.function(instance, "hello").unwrap();
        first.call(&hello, &[]).unwrap();
        let pool = Pool::of(first.snapshot().unwrap(), AHEAD);
        assert_eq!(pool.engine(), setup.engine);
        for round in 0..2 * AHEAD {
            // One that was there, and one that was not.
            if round % 2 == 0 {
                assert_eq!(wait_for(&pool, AHEAD), AHEAD, "{setup}");
            } else {
                pool.keep(0);
            }
            let output = OutputBuffer::new(100);
            let world = WasiConfig::new().stdout(Output::Capture(output.clone()));
            let mut vm = pool.take(world).unwrap();
            pool.keep(AHEAD);
            let called = vm.call(&hello, &[]).unwrap_or_else(|e| panic!("{setup}, {round}: {e}"));
            assert_eq!(called, [Value::I32(2)], "{setup}");
            assert_eq!(&output.contents()[..], b"hello", "{setup}");
        }
        assert_eq!(pool.counts(), PoolCounts { ready: AHEAD, made: AHEAD, shed: 0 }, "{setup}");
    }
}

#[test]
fn an_empty_one_makes_what_is_wanted() {
    for setup in matrix() {
        let pool = pool(setup);
        pool.keep(0);
        assert_eq!(pool.idle(), 0);
        drop(pool.take(WasiConfig::new()).unwrap());
        assert_eq!(pool.counts().made, 1, "{setup}");
        pool.keep(2);
        assert_eq!(wait_for(&pool, 2), 2, "{setup}");
    }
}

#[test]
fn pressure_takes_what_nobody_has_taken() {
    for setup in matrix() {
        let pool = pool(setup);
        assert_eq!(wait_for(&pool, AHEAD), AHEAD, "{setup}");
        pool.relieve(PressureLevel::Normal);
        assert_eq!(pool.idle(), AHEAD);
        pool.relieve(PressureLevel::Warning);
        assert_eq!(pool.idle(), AHEAD / 2, "{setup}");
        pool.relieve(PressureLevel::Critical);
        assert_eq!((pool.idle(), pool.counts().shed), (0, AHEAD), "{setup}");
        drop(pool.take(WasiConfig::new()).unwrap());
        assert_eq!(pool.idle(), 0, "{setup}: none is made again unasked");
    }
}

#[test]
fn many_take_at_once() {
    for setup in matrix() {
        let pool = pool(setup);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        drop(pool.take(WasiConfig::new()).unwrap());
                    }
                });
            }
        });
        let counts = pool.counts();
        assert_eq!(counts.ready + counts.made, 20, "{setup}: {counts:?}");
        assert_eq!(wait_for(&pool, AHEAD), AHEAD, "{setup}");
    }
}

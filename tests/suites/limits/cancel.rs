//! Ending calls from another thread.

use crate::{HANG, assert_works, instantiate, loops, run};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use wrt_tests::matrix;
use wrt_vm::error::Interruption;
use wrt_vm::vm::CancelHandle;
use wrt_vm::{Error, Value};

fn is_cancelled<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Interrupted(Interruption::Cancelled)))
}

#[test]
fn an_early_cancel_ends_the_call_as_it_begins() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [count, for_ever] = loops(&mut vm);
        assert!(vm.cancel_handle().cancel());
        let ended = vm.call(&for_ever, &[]);
        assert!(is_cancelled(&ended), "{setup}: {ended:?}");
        // Nothing had run, so that the VM is as it was.
        assert_eq!(vm.call(&count, &[Value::I32(7)]).unwrap(), [Value::I32(7)]);
    }
}

#[test]
fn a_cancel_in_the_middle_ends_the_call() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [_, for_ever] = loops(&mut vm);
        let handle = vm.cancel_handle();
        let canceller = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            handle.cancel()
        });
        vm.set_deadline(Some(Instant::now() + HANG));
        let ended = vm.call(&for_ever, &[]);
        assert!(is_cancelled(&ended), "{setup}: {ended:?}");
        assert!(canceller.join().unwrap(), "{setup}: a cancel that hit says so");
        vm.reset().unwrap();
        assert_works(&mut vm);
    }
}

#[test]
fn a_cancel_ends_a_call_that_waits_on_the_host() {
    let sleeper = r#"(module
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "sleep") (result i32)
            (i32.store (i32.const 16) (i32.const 1))
            (i64.store (i32.const 24) (i64.const 3600000000000))
            (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128))))"#;
    for setup in matrix() {
        let mut vm = setup.vm();
        let instance = instantiate(&mut vm, sleeper).unwrap();
        let sleep = vm.function(instance, "sleep").unwrap();
        let handle = vm.cancel_handle();
        let canceller = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            handle.cancel()
        });
        vm.set_deadline(Some(Instant::now() + HANG));
        let ended = vm.call(&sleep, &[]);
        assert!(is_cancelled(&ended), "{setup}: {ended:?}");
        assert!(canceller.join().unwrap());
        vm.reset().unwrap();
        assert!(run(&mut vm, instance, "sleep").is_err(), "a handle from before the reset");
        assert_works(&mut vm);
    }
}

#[test]
fn a_late_cancel_does_nothing() {
    for setup in matrix() {
        let mut vm = setup.vm();
        let [count, _] = loops(&mut vm);
        for _ in 0..100 {
            let handle = vm.cancel_handle();
            let _ = vm.call(&count, &[Value::I32(1)]).unwrap();
            assert!(!handle.cancel(), "{setup}: the call was over");
            assert_eq!(vm.call(&count, &[Value::I32(9)]).unwrap(), [Value::I32(9)], "{setup}");
            assert!(!handle.clone().cancel());
        }
    }
}

/// Cancels each handle after its delay, in another thread, and says what came of it.
fn canceller() -> (mpsc::Sender<(CancelHandle, Duration)>, mpsc::Receiver<bool>) {
    let (orders, received) = mpsc::channel::<(CancelHandle, Duration)>();
    let (answers, results) = mpsc::channel();
    thread::spawn(move || {
        for (handle, delay) in received {
            // Shorter delays than the system's timers can do.
            let until = Instant::now() + delay;
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            if answers.send(handle.cancel()).is_err() {
                break;
            }
        }
    });
    (orders, results)
}

#[test]
fn a_cancel_at_any_moment_hits_its_own_call_or_none() {
    const ROUNDS: u32 = 400;
    const CALL: i32 = 200_000;
    for setup in matrix() {
        let mut vm = setup.vm();
        let [mut count, _] = loops(&mut vm);
        let (orders, results) = canceller();
        let (mut hits, mut misses) = (0, 0);
        // How long a call takes here decides which delays are interesting.
        let started = Instant::now();
        let _ = vm.call(&count, &[Value::I32(CALL)]).unwrap();
        let longest = started.elapsed() * 2;
        for round in 0..ROUNDS {
            // Spread over the time of a call and after, in no order.
            let delay = longest * (round * 179 % ROUNDS) / ROUNDS;
            orders.send((vm.cancel_handle(), delay)).unwrap();
            let ended = vm.call(&count, &[Value::I32(CALL)]);
            let hit = match ended {
                Err(Error::Interrupted(Interruption::Cancelled)) => {
                    vm.reset().unwrap();
                    [count, _] = loops(&mut vm);
                    true
                }
                Ok(values) => {
                    assert_eq!(values, [Value::I32(CALL)], "{setup}");
                    false
                }
                Err(other) => panic!("{setup}, round {round}: {other}"),
            };
            // This one may begin while the cancel of the other is still under way.
            let next = vm.call(&count, &[Value::I32(CALL)]);
            let next = next.unwrap_or_else(|error| panic!("{setup}, round {round}: {error}"));
            assert_eq!(next, [Value::I32(CALL)], "{setup}");
            // A cancel may come in time and still find the call at its last instruction; but
            // no call ends for one that says it came too late.
            let in_time = results.recv_timeout(HANG).unwrap();
            assert!(in_time || !hit, "{setup}, round {round}");
            *if hit { &mut hits } else { &mut misses } += 1;
        }
        assert!(hits > 0 && misses > 0, "{setup}: {hits} hits, {misses} misses: no race was run");
    }
}

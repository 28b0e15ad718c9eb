//! Ends: of a call, of a worker, of its parent.

use crate::{HANG, SUM, call, instantiate, worker};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use wrt_tests::{matrix, program};
use wrt_vm::error::{Interruption, TrapKind, VmEnd};
use wrt_vm::{Error, Value};

const LOOP: &str = r#"(module
    (func (export "for-ever") (loop $next (br $next)))
    (func (export "trap") unreachable)
    (func (export "answer") (result i32) (i32.const 42)))"#;

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed()).unwrap()
}

#[test]
fn a_worker_that_dies_is_an_error_of_its_own_vm() {
    for setup in matrix() {
        let (mut good, mut bad) = (worker(setup), worker(setup));
        let sum = instantiate(&mut good, SUM);
        let spin = instantiate(&mut bad, LOOP);
        let victim = pid(bad.worker().unwrap());
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            kill_process(victim, Signal::KILL).unwrap();
        });
        let ended = call(&mut bad, spin, "for-ever", &[]).unwrap_err();
        killer.join().unwrap();
        let Error::Ended(VmEnd::Worker(why)) = &ended else { panic!("{setup}: {ended}") };
        assert!(why.contains("signal 9"), "{setup}: {why}");
        // Again and again, until a reset.
        for _ in 0..2 {
            let again = call(&mut bad, spin, "answer", &[]).unwrap_err();
            assert!(matches!(again, Error::Ended(VmEnd::Worker(_))), "{setup}: {again}");
        }
        bad.reset().unwrap_or_else(|error| panic!("{setup}: {error}"));
        let another = instantiate(&mut bad, LOOP);
        let answer = call(&mut bad, another, "answer", &[]).unwrap();
        assert_eq!(answer, [Value::I32(42)], "{setup}");
        let ten = call(&mut good, sum, "sum", &[Value::I64(4)]).unwrap();
        assert_eq!(ten, [Value::I64(10)], "{setup}");
    }
}

#[test]
fn a_worker_ends_with_its_vm() {
    for setup in matrix() {
        let vm = worker(setup);
        let process = pid(vm.worker().unwrap());
        assert!(test_kill_process(process).is_ok());
        drop(vm);
        assert!(test_kill_process(process).is_err(), "{setup}: it is still there");
    }
}

#[test]
fn calls_end_by_cancel_and_by_deadline_and_the_vm_is_good_after_a_reset() {
    for setup in matrix() {
        let mut vm = worker(setup);
        for early in [true, false] {
            let instance = instantiate(&mut vm, LOOP);
            let spin = vm.function(instance, "for-ever").unwrap();
            let handle = vm.cancel_handle();
            let canceller = thread::spawn(move || {
                if !early {
                    thread::sleep(Duration::from_millis(50));
                }
                handle.cancel()
            });
            if early {
                thread::sleep(Duration::from_millis(50));
            }
            let ended = vm.call(&spin, &[]).unwrap_err();
            assert!(canceller.join().unwrap());
            let cancelled = Interruption::Cancelled;
            assert!(
                matches!(ended, Error::Interrupted(why) if why == cancelled),
                "{setup}: {ended}"
            );
            vm.reset().unwrap();
        }
        let instance = instantiate(&mut vm, LOOP);
        vm.set_deadline(Some(Instant::now() + Duration::from_millis(50)));
        let ended = call(&mut vm, instance, "for-ever", &[]).unwrap_err();
        let timed_out = Interruption::TimedOut;
        assert!(matches!(ended, Error::Interrupted(why) if why == timed_out), "{setup}: {ended}");
        // The deadline is over, and does not hold for the next program.
        vm.reset().unwrap();
        let instance = instantiate(&mut vm, LOOP);
        let trap = call(&mut vm, instance, "trap", &[]).unwrap_err();
        assert!(matches!(trap, Error::Trap(t) if t.kind == TrapKind::Unreachable), "{setup}");
        assert_eq!(call(&mut vm, instance, "answer", &[]).unwrap(), [Value::I32(42)], "{setup}");
    }
}

#[test]
fn a_worker_ends_when_its_parent_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let module = directory.path().join("spin.wat");
    std::fs::write(&module, r#"(module (func (export "_start") (loop $l (br $l))))"#).unwrap();
    for (setup, stopped) in matrix().into_iter().flat_map(|setup| [(setup, false), (setup, true)]) {
        let mut parent = Command::new(program())
            .args(["run", "--worker", "--no-cache", "--backend", setup.backend.name()])
            .args(["--engine", setup.engine.name()])
            .arg(&module)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let worker = wait_for(|| child_named(parent.id(), "worker"));
        if stopped {
            kill_process(pid(worker), Signal::STOP).unwrap();
        }
        parent.kill().unwrap();
        parent.wait().unwrap();
        wait_for(|| test_kill_process(pid(worker)).is_err().then_some(()));
    }
}

/// Waits for something that comes.
fn wait_for<T>(what: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + HANG;
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(Instant::now() < deadline, "it never comes");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process's child whose first argument is this.
fn child_named(parent: u32, argument: &str) -> Option<u32> {
    // Each thread has its own.
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).ok()?.flatten();
    let children =
        threads.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: String = children.collect();
    children.split_whitespace().filter_map(|child| child.parse().ok()).find(|child: &u32| {
        let line = std::fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(argument.as_bytes())
    })
}

//! A compiler in a worker that does not answer. SIGSTOP stands for one that its module has taken
//! over.
#![cfg(target_os = "linux")]

use crate::{run, setups};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs;
use std::time::{Duration, Instant};
use wrt_tests::{HANG, program};
use wrt_vm::worker::Workers;
use wrt_vm::{Compiler, Error, Module, Value};

/// The only worker of this process: no other test here has one.
fn worker() -> Option<Pid> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = threads.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let children: String = lists.collect();
    let worker = children.split_whitespace().find(|child| {
        let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"worker")
    });
    Pid::from_raw(worker?.parse().unwrap())
}

#[test]
fn a_compiler_that_does_not_answer_is_given_up_and_replaced() {
    let module = Module::from_text(r#"(module (func (export "f") (result i32) (i32.const 42)))"#);
    let module = module.unwrap();
    for setup in setups().filter(|setup| !setup.is_simulated()) {
        let hypervisor = setup.backend.open().unwrap();
        let workers = Workers::new(program());
        let mut compiler = Compiler::placed(hypervisor.as_ref(), workers).unwrap();
        let stopped = worker().expect("it is made with its worker");
        kill_process(stopped, Signal::STOP).unwrap();
        compiler = compiler.time_limit(Duration::from_secs(1));
        let begun = Instant::now();
        let ended = compiler.compile(&module, setup.target()).unwrap_err();
        assert!(begun.elapsed() < HANG / 10, "{setup}: it took {:?}", begun.elapsed());
        assert!(matches!(&ended, Error::CannotCompile { .. }), "{setup}: {ended}");
        assert!(ended.to_string().contains("1 s"), "{setup}: {ended}");
        assert!(test_kill_process(stopped).is_err(), "{setup}: it is still there");

        compiler = compiler.time_limit(HANG);
        let compiled = compiler.compile(&module, setup.target()).unwrap();
        let came = run(&mut setup.vm(), &compiled).unwrap();
        assert_eq!(came, [Value::I32(42)], "{setup}");
    }
}

//! The front door: programs run by an engine, wherever it has them.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use wrt_tests::{HANG, matrix, program};
use wrt_vm::engine::{Choice, EngineBuilder};
use wrt_vm::error::Interruption;
use wrt_vm::worker::Workers;
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Ended, Engine, EngineKind, Error, Limits, Module, Program, Value, WasiConfig};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\06\00\00\00")
    (data (i32.const 16) "hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

const EXIT: &str = r#"(module
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (func (export "_start") (call $exit (i32.const 7))))"#;

const ENDLESS: &str = r#"(module (func (export "_start") (loop $on (br $on))))"#;

const TRAP: &str = r#"(module (func (export "_start") unreachable))"#;

fn module(text: &str) -> Module {
    Module::from_text(text).expect("a module of a test")
}

fn quick() -> Limits {
    Limits { time: Some(HANG), ..Limits::default() }
}

/// A program in an empty world.
fn program_of(text: &str) -> Program {
    Program::new("program", module(text), WasiConfig::new()).limits(quick())
}

/// Engines for each setup: with programs in jailed workers, and in this process.
fn each(test: impl Fn(EngineBuilder, String)) {
    for setup in matrix().into_iter().filter(|setup| !setup.is_simulated()) {
        let choice = match setup.engine {
            EngineKind::Interp => Choice::Interp,
            EngineKind::Native => Choice::Native,
        };
        let engine = || Engine::builder().backend(setup.backend).choice(choice).admission(false);
        test(engine().workers(Workers::new(program())), format!("{setup}, jailed"));
        test(engine().jail(false), format!("{setup}, here"));
    }
}

#[test]
fn programs_end_in_their_ways() {
    each(|builder, name| {
        let engine = builder.build().unwrap();
        let output = OutputBuffer::new(64);
        let world = WasiConfig::new().stdout(Output::Capture(output.clone()));
        let hello = Program::new("hello", module(HELLO), world).limits(quick());
        let report = engine.run(hello);
        assert!(matches!(report.ended, Ok(Ended::Returned)), "{name}: {report:?}");
        assert_eq!(output.contents(), b"hello\n", "{name}");
        let steps: Vec<&str> = report.steps.iter().map(|(name, _)| *name).collect();
        assert_eq!(steps, ["read", "choose", "create", "load", "instantiate", "run"], "{name}");
        assert!(report.usage.is_some_and(|usage| usage.exits.total() > 0), "{name}");

        let report = engine.run(program_of(EXIT));
        assert!(matches!(report.ended, Ok(Ended::Exited(7))), "{name}: {report:?}");
        let report = engine.run(program_of(TRAP));
        assert!(matches!(report.ended, Err(Error::Trap(_))), "{name}: {report:?}");
        let limits = Limits { time: Some(Duration::from_millis(300)), ..Limits::default() };
        let report = engine.run(program_of(ENDLESS).limits(limits));
        let timed_out = matches!(report.ended, Err(Error::Interrupted(Interruption::TimedOut)));
        assert!(timed_out, "{name}: {report:?}");
    });
}

#[test]
fn it_is_jailed_unless_told_otherwise() {
    each(|builder, name| {
        let engine = builder.build().unwrap();
        let report = engine.run(program_of(EXIT));
        assert_eq!(report.jail.is_some(), name.ends_with("jailed"), "{name}: {report:?}");
    });
    // Nothing to have a jailed process of.
    if let Some(setup) = matrix().first() {
        let engine = Engine::builder().backend(setup.backend).build().unwrap();
        match engine.run(program_of(EXIT)).ended {
            Err(error) => assert!(error.to_string().contains("workers"), "{error}"),
            Ok(ended) => panic!("it ran outside of a jail: {ended:?}"),
        }
    }
}

#[test]
fn what_is_no_program_is_told_by_its_functions() {
    each(|builder, name| {
        let engine = builder.build().unwrap();
        let text = r#"(module (func (export "add") (param i32 i32) (result i32)
            (i32.add (local.get 0) (local.get 1))))"#;
        match engine.run(program_of(text)).ended {
            Err(Error::NotAProgram { functions }) => assert_eq!(functions, "add", "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        let sum = Arc::new(Mutex::new(Vec::new()));
        let result = Arc::clone(&sum);
        let add = program_of(text).entry(move |vm, instance| {
            let add = vm.function(instance, "add")?;
            *result.lock().unwrap() = vm.call(&add, &[Value::I32(2), Value::I32(40)])?;
            Ok(())
        });
        let report = engine.run(add);
        assert!(matches!(report.ended, Ok(Ended::Returned)), "{name}: {report:?}");
        assert_eq!(*sum.lock().unwrap(), [Value::I32(42)], "{name}");
    });
}

#[test]
fn several_run_at_once_and_each_is_told_of_once() {
    each(|builder, name| {
        let engine = builder.parallel(3).ahead(2, Limits::default()).build().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let texts = [HELLO, EXIT, TRAP, HELLO, EXIT, TRAP];
        for (number, text) in texts.iter().enumerate() {
            let told = Arc::clone(&told);
            engine.submit(program_of(text), texts.len() - number - 1, move |report| {
                told.lock().unwrap().push((number, report.ended.is_ok()));
            });
        }
        engine.wait();
        let mut told = std::mem::take(&mut *told.lock().unwrap());
        told.sort_unstable();
        let wanted = [(0, true), (1, true), (2, false), (3, true), (4, true), (5, false)];
        assert_eq!(told, wanted, "{name}");
        let counts = engine.counts();
        assert!((1..=3).contains(&counts.at_once), "{name}: {counts:?}");
    });
}

#[test]
fn all_are_cancelled() {
    each(|builder, name| {
        let engine = builder.parallel(2).build().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        for _ in 0..2 {
            let tell = tell.clone();
            engine.submit(program_of(ENDLESS), 0, move |report| tell.send(report).unwrap());
        }
        engine.cancel_all();
        let later = engine.run(program_of(EXIT));
        for report in [told.recv().unwrap(), told.recv().unwrap(), later] {
            let Err(Error::Interrupted(why)) = report.ended else { panic!("{name}: {report:?}") };
            assert_eq!(why, Interruption::Cancelled, "{name}");
        }
    });
}

#[test]
fn wrong_settings_are_refused() {
    for parallel in [0, 65] {
        let error = Engine::builder().parallel(parallel).build().err().unwrap();
        assert!(error.to_string().contains(&parallel.to_string()), "{error}");
    }
}

//! Runs programs that are not trusted, each in a VM and a jailed process of its own.
//!
//! `cargo run --example engine`

use std::process::ExitCode;
use std::time::Duration;
use wrt_vm::worker::{Workers, serve};
use wrt_vm::world::{Output, OutputBuffer};
use wrt_vm::{Engine, Error, Limits, Module, Program, WasiConfig};

const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\13\00\00\00")
    (data (i32.const 16) "hello from a guest\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Programs that strangers could have sent.
const PROGRAMS: [(&str, &str); 3] = [
    ("hello", HELLO),
    ("endless", r#"(module (func (export "_start") (loop $on (br $on))))"#),
    ("crash", r#"(module (func (export "_start") unreachable))"#),
];

fn main() -> ExitCode {
    // First thing in `main`: this program is its workers', too.
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return serve();
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Error> {
    let engine = Engine::builder().workers(Workers::of_this_program()).parallel(2).build()?;
    let limits =
        Limits { time: Some(Duration::from_secs(2)), max_memory: 64 << 20, ..Limits::default() };
    for (number, (name, text)) in PROGRAMS.into_iter().enumerate() {
        let output = OutputBuffer::new(4096);
        let world = WasiConfig::new().arg(name).stdout(Output::Capture(output.clone()));
        let program = Program::new(name, Module::from_text(text)?, world).limits(limits);
        engine.submit(program, PROGRAMS.len() - number - 1, move |report| {
            let printed = String::from_utf8_lossy(&output.contents()).into_owned();
            match report.ended {
                Ok(ended) => println!("{name}: {ended:?}, it printed {printed:?}"),
                Err(error) => println!("{name}: {error}"),
            }
        });
    }
    engine.wait();
    Ok(())
}

//! A VM in a jailed process of its own: this program again, in another role.
//!
//! `cargo run --example worker`
//!
//! The `wrt-vm` command does the same. A program that names another one, such as an installed
//! `wrt-vm`, has no role to play.

use std::error::Error;
use std::process::ExitCode;
use wrt_vm::worker::serve;
use wrt_vm::{MicroVm, Module, Value};

const SQUARE: &str = r#"(module
    (func (export "square") (param i64) (result i64)
        (i64.mul (local.get 0) (local.get 0))))"#;

fn main() -> ExitCode {
    // First thing in `main`: a worker gets its orders on sockets, and does nothing else.
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

fn run() -> Result<(), Box<dyn Error>> {
    let module = Module::from_text(SQUARE)?;
    let mut vm = MicroVm::builder().worker(std::env::current_exe()?).build()?;
    println!("{}", vm.boundary());
    println!("the jail of process {} is {}", vm.worker().unwrap_or(0), vm.jail().unwrap_or("none"));
    let loaded = vm.load(&module)?;
    let instance = vm.instantiate(loaded)?;
    let square = vm.function(instance, "square")?;
    println!("the square of 12 is {:?}", vm.call(&square, &[Value::I64(12)])?);
    Ok(())
}

//! Loads a module, calls its exports, resets the VM.
//!
//! `cargo run --example call`

use wrt_vm::{Error, MicroVm, Module, Value};

const COUNTER: &str = r#"(module
    (memory (export "memory") 1)
    (global $count (export "count") (mut i64) (i64.const 0))
    (func (export "bump") (param i64) (result i64)
        (global.set $count (i64.add (global.get $count) (local.get 0)))
        (global.get $count)))"#;

fn main() -> Result<(), Error> {
    let module = Module::from_text(COUNTER)?;
    let mut vm = MicroVm::builder().max_memory(16 << 20).build()?;

    for round in 1..=2 {
        let loaded = vm.load(&module)?;
        let instance = vm.instantiate(loaded)?;
        let bump = vm.function(instance, "bump")?;
        for by in [1, 20, 300] {
            println!("round {round}: {:?}", vm.call(&bump, &[Value::I64(by)])?);
        }
        let memory = vm.memory(instance, "memory")?;
        vm.write_memory(memory, 8, b"hello from the host")?;
        let mut word = [0; 5];
        vm.read_memory(memory, 8, &mut word)?;
        println!("memory holds {:?}", String::from_utf8_lossy(&word));

        // Everything is as new: memory, globals, registers.
        vm.reset()?;
    }
    println!("{:?}", vm.usage().exits);
    Ok(())
}

//! Prepares a guest once, and has several go on from it.
//!
//! `cargo run --example snapshot`

use wrt_vm::{Error, MicroVm, Module, Value, WasiConfig};

/// Takes its time to begin, as programs do that read their tables first.
const PROGRAM: &str = r#"(module
    (memory 200)
    (func $prepare (local $at i32)
        (loop $next
            (i32.store (local.get $at) (local.get $at))
            (local.set $at (i32.add (local.get $at) (i32.const 64)))
            (br_if $next (i32.lt_u (local.get $at) (i32.const 0x400000)))))
    (start $prepare)
    (func (export "look") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "keep") (param i32 i32) (i32.store (local.get 0) (local.get 1))))"#;

fn main() -> Result<(), Error> {
    let mut vm = MicroVm::builder().build()?;
    let loaded = vm.load(&Module::from_text(PROGRAM)?)?;
    let instance = vm.instantiate(loaded)?;
    let (look, keep) = (vm.function(instance, "look")?, vm.function(instance, "keep")?);
    let snapshot = vm.snapshot()?;
    if let Some(size) = snapshot.size() {
        println!("{} KiB are kept, and shared from now on", size >> 10);
    }

    // Each has a world of its own, and writes pages of its own.
    let address = Value::I32(0x3f_ffc0);
    for number in 1..=3 {
        let mut other = snapshot.vm(WasiConfig::new())?;
        print!("VM {number} finds {:?}, ", other.call(&look, &[address])?);
        other.call(&keep, &[address, Value::I32(number)])?;
        println!("keeps {:?}", other.call(&look, &[address])?);
    }

    // And back to the beginning: nothing of what ran is left.
    vm.call(&keep, &[address, Value::I32(99)])?;
    vm.restore(&snapshot, WasiConfig::new())?;
    println!("the first finds {:?}", vm.call(&look, &[address])?);
    Ok(())
}

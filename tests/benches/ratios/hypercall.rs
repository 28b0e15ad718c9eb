//! Round trip of a WASI call against that of an `out`.
//!
//! `clock_time_get` is as cheap on the host as a call gets that does something. Both sides
//! make the same number of exits in a run. Ours pays for the interpreter, the mailbox and
//! WASI as well.

use crate::pairs::{Pairs, Target};
use crate::raw::{RawVm, SMALLEST};
use std::time::Instant;
use wrt_vm::{MicroVm, Module, Value};

const CALLS: i32 = 1000;

const LOOP: &str = r#"(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "calls") (param $left i32)
    (loop $again
      (drop (call $time (i32.const 1) (i64.const 0) (i32.const 0)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;

pub(crate) fn run() -> bool {
    let module = Module::from_text(LOOP).expect("a module");
    let mut vm = MicroVm::builder().build().expect("a VM");
    let loaded = vm.load(&module).expect("a loaded module");
    let instance = vm.instantiate(loaded).expect("an instance");
    let calls = vm.function(instance, "calls").expect("the export");
    let mut raw = RawVm::new(&SMALLEST).expect("a raw VM");
    let before = vm.usage().exits.wasi;
    let pairs = Pairs::measure(
        31,
        || {
            let started = Instant::now();
            vm.call(&calls, &[Value::I32(CALLS)]).expect("a call");
            started.elapsed()
        },
        || {
            let started = Instant::now();
            (0..CALLS).for_each(|_| raw.run());
            started.elapsed()
        },
    );
    // Should the guest learn to answer by itself, this would measure nothing.
    let exits = vm.usage().exits.wasi - before;
    assert_eq!(exits, 32 * u64::from(CALLS.unsigned_abs()), "a WASI call is one exit");
    pairs.print("a call", f64::from(CALLS));
    Target::AtMost(1.25).judge("hypercall, ratio", pairs.ratio())
}

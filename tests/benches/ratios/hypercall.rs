//! Round trips of calls in and out against that of an `out`.
//!
//! Out: `clock_time_get` is as cheap on the host as a call gets that does something. Both
//! sides make the same number of exits in a run; ours pays for the engine, the mailbox and
//! WASI as well. In: the call of an export that does nothing, which is one exit too.

use crate::pairs::{Pairs, Target};
use crate::raw::{RawVm, SMALLEST};
use std::time::Instant;
use wrt_vm::vm::Function;
use wrt_vm::vm::ServiceId;
use wrt_vm::{EngineKind, MicroVm, Module, Value};

pub(crate) const CALLS: u32 = 1000;

pub(crate) const LOOP: &str = r#"(module
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $time (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "nothing"))
  (func (export "calls") (param $left i32)
    (loop $again
      (drop (call $time (i32.const 1) (i64.const 0) (i32.const 0)))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))"#;

pub(crate) fn run() -> bool {
    let mut met = true;
    for engine in [EngineKind::Interp, EngineKind::Native] {
        let mut vm = MicroVm::builder().engine(engine).build().expect("a VM");
        let module = Module::from_text(LOOP).expect("a module");
        let loaded = vm.load(&module).expect("a loaded module");
        let instance = vm.instantiate(loaded).expect("an instance");
        let nothing = vm.function(instance, "nothing").expect("the export");
        let calls = vm.function(instance, "calls").expect("the export");
        met &= out(&mut vm, &calls);
        met &= into(&mut vm, &nothing);
    }
    met
}

fn out(vm: &mut MicroVm, calls: &Function) -> bool {
    let mut raw = RawVm::new(&SMALLEST).expect("a raw VM");
    let before = vm.usage().exits.of(ServiceId::Wasi);
    let pairs = Pairs::measure(
        31,
        || {
            let started = Instant::now();
            vm.call(calls, &[Value::I32(CALLS.cast_signed())]).expect("a call");
            started.elapsed()
        },
        || {
            let started = Instant::now();
            (0..CALLS).for_each(|_| raw.run());
            started.elapsed()
        },
    );
    // Should the guest learn to answer by itself, this would measure nothing.
    let exits = vm.usage().exits.of(ServiceId::Wasi) - before;
    assert_eq!(exits, 32 * u64::from(CALLS), "a WASI call is one exit");
    pairs.print("a call out", f64::from(CALLS));
    let what = format!("{} to the host, ratio", vm.engine());
    Target::AtMost(1.25).judge(&what, pairs.ratio())
}

fn into(vm: &mut MicroVm, nothing: &Function) -> bool {
    let mut raw = RawVm::new(&SMALLEST).expect("a raw VM");
    let before = vm.usage().exits.total();
    let pairs = Pairs::measure(
        31,
        || {
            let started = Instant::now();
            (0..CALLS).for_each(|_| drop(vm.call(nothing, &[]).expect("a call")));
            started.elapsed()
        },
        || {
            let started = Instant::now();
            (0..CALLS).for_each(|_| raw.run());
            started.elapsed()
        },
    );
    let exits = vm.usage().exits.total() - before;
    assert_eq!(exits, 32 * u64::from(CALLS), "a call of an export is one exit");
    pairs.print("a call in", f64::from(CALLS));
    let what = format!("{} from the host, ratio", vm.engine());
    Target::AtMost(1.25).judge(&what, pairs.ratio())
}

//! Code that is not what the compiler wrote: what comes of it stays in the VM.

use crate::{compiler, run, setups};
use std::time::{Duration, Instant};
use wrt_vm::compiler::Target;
use wrt_vm::{Error, MicroVm, Module, Value};

/// Uses what an artefact has tables of: functions, traps, types, data, elements, exports.
const MODULE: &str = r#"(module
    (memory (export "memory") 1) (data (i32.const 0) "some bytes of data")
    (table 4 funcref) (elem (i32.const 0) $down $trap)
    (global (mut i32) (i32.const 5))
    (type $unary (func (param i32) (result i32)))
    (func $down (param i32) (result i32)
        (if (result i32) (local.get 0)
            (then (call_indirect (type $unary) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
            (else (i32.load (i32.const 0)))))
    (func $trap (unreachable))
    (func (export "f") (result i32) (local $rounds i32)
        (local.set $rounds (i32.const 100))
        (loop $next
            (i32.store (i32.const 64) (local.get $rounds))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (br_if $next (local.get $rounds)))
        (call $down (global.get 0))))"#;
/// "some".
const ANSWER: Value = Value::I32(0x656d_6f73);

/// Damaged code may well loop for ever.
const PATIENCE: Duration = Duration::from_millis(500);
/// Artefacts that are tried.
const VARIANTS: usize = 600;

/// Runs damaged code. Whatever it does is fine, as long as its VM is as good as new after a reset.
fn try_out(vm: &mut MicroVm, code: &[u8], good: &Module, what: &str) -> Result<Vec<Value>, Error> {
    let target = Target::baseline(Target::ARCH);
    vm.set_deadline(Some(Instant::now() + PATIENCE));
    let result = Module::from_code(code, target).and_then(|module| run(vm, &module));
    vm.set_deadline(None);
    vm.reset().unwrap_or_else(|error| panic!("{what}: {error}"));
    let answer = run(vm, good).unwrap_or_else(|error| panic!("{what}: a good module: {error}"));
    assert_eq!(answer, [ANSWER], "{what}");
    vm.reset().unwrap_or_else(|error| panic!("{what}: {error}"));
    result
}

#[test]
fn flipped_bits_harm_nobody_but_their_vm() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let good = compiler(setup).compile(&module, Target::baseline(Target::ARCH)).unwrap();
        let mut vm = setup.vm();
        // Most of an artefact is padding between pages.
        let bytes = good.as_slice();
        let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        let (mut ran, mut ended, mut refused) = (0, 0, 0);
        for variant in 0..VARIANTS {
            let at = used[variant * used.len() / VARIANTS];
            let mut damaged = bytes.to_vec();
            damaged[at] ^= [0xff, 0x01, 0x80, 0x10][variant % 4];
            match try_out(&mut vm, &damaged, &good, &format!("{setup}: byte {at:#x}")) {
                Ok(_) | Err(Error::Trap(_)) => ran += 1,
                Err(Error::Ended(_) | Error::Interrupted(_)) => ended += 1,
                Err(_) => refused += 1,
            }
        }
        println!("{setup}: {ran} ran, {ended} VMs ended, {refused} were refused");
        // Or the damage was done where nobody looks.
        assert!(ended > 0 && refused > 0, "{setup}: {ran} {ended} {refused}");
    }
}

#[test]
fn code_that_is_cut_off_harms_nobody_but_its_vm() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let good = compiler(setup).compile(&module, Target::baseline(Target::ARCH)).unwrap();
        let mut vm = setup.vm();
        let whole = good.as_slice();
        let lens = (1..64).map(|part| whole.len() * part / 64);
        let edges = [1, 4, 63, 64, 4095, 4096, 4097, whole.len() - 1];
        for len in lens.chain(edges) {
            let what = format!("{setup}: {len} of {} bytes", whole.len());
            let result = try_out(&mut vm, &whole[..len], &good, &what);
            // The table of sections comes last: without its end there is nothing.
            assert!(
                matches!(result, Err(Error::UnusableArtifact(_) | Error::Ended(_))),
                "{what}: {result:?}"
            );
        }
    }
}

/// Every value of the first bytes of a section of tables: counts and lengths among them.
#[test]
fn words_that_are_huge_harm_nobody_but_their_vm() {
    let module = Module::from_text(MODULE).unwrap();
    for setup in setups() {
        let good = compiler(setup).compile(&module, Target::baseline(Target::ARCH)).unwrap();
        let mut vm = setup.vm();
        let bytes = good.as_slice();
        let words = (0..bytes.len() / 8).filter(|word| bytes[word * 8..][..8] != [0; 8]);
        let words: Vec<usize> = words.collect();
        for word in words.iter().step_by(words.len().div_ceil(VARIANTS / 2)) {
            let mut damaged = bytes.to_vec();
            damaged[word * 8..][..8].fill(0xff);
            let what = format!("{setup}: word at {:#x}", word * 8);
            // Whatever it is: an answer that comes back is of the type that was promised.
            if let Ok(values) = try_out(&mut vm, &damaged, &good, &what) {
                assert!(values.len() <= 1, "{what}: {values:?}");
            }
        }
    }
}

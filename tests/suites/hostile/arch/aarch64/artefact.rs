//! Hostile code in a compiled artefact that only this processor has.

use crate::artefact::{SETUP, artefact, good, run};
use wrt_vm::{Error, Value};

#[test]
fn a_privileged_instruction_is_a_trap_and_a_reset_brings_it_back() {
    // mrs x0, ttbr0_el1
    let Some(module) = artefact(&0xd538_2000u32.to_le_bytes()) else { return };
    let mut vm = SETUP.vm();
    let ended = run(&mut vm, &module).unwrap_err();
    assert!(matches!(ended, Error::Ended(_) | Error::Trap(_)), "{ended}");
    vm.reset().unwrap();
    assert_eq!(run(&mut vm, &good()).unwrap(), [Value::I64(1)]);
}

/// A breakpoint in compiled code is a delivery of the mailbox, with whatever is in it.
#[test]
fn a_stray_breakpoint_is_answered_and_harms_nobody() {
    // brk #0xffff
    let Some(module) = artefact(&0xd43f_ffe0u32.to_le_bytes()) else { return };
    let (mut vm, mut other) = (SETUP.vm(), SETUP.vm());
    let _ = run(&mut vm, &module);
    assert_eq!(run(&mut other, &good()).unwrap(), [Value::I64(1)]);
    vm.reset().unwrap();
    assert_eq!(run(&mut vm, &good()).unwrap(), [Value::I64(1)]);
}

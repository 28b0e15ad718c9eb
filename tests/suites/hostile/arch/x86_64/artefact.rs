//! Hostile code in a compiled artefact that only this processor has.

use crate::artefact::{SETUP, artefact, good, run};
use wrt_vm::error::VmEnd;
use wrt_vm::{Error, Value};

#[test]
fn the_clock_is_its_end() {
    // rdtsc
    let Some(module) = artefact(&[0x0f, 0x31]) else { return };
    let ended = run(&mut SETUP.vm(), &module).unwrap_err();
    let Error::Ended(VmEnd::Exception(exception)) = ended else { panic!("{ended}") };
    assert_eq!(exception.name, "general protection fault");
}

/// The legacy page, whose calls no tracer sees: the process is killed, and a reset has another.
#[test]
fn the_legacy_page_is_its_end_and_a_reset_brings_it_back() {
    // mov $-10485760, %rax (sign-extended); jmp would need more room: push, ret.
    let Some(module) = artefact(&[0x68, 0x00, 0x00, 0x60, 0xff, 0xc3]) else { return };
    let mut vm = SETUP.vm();
    let ended = run(&mut vm, &module).unwrap_err();
    // Without that page in the system, it is a page fault.
    assert!(matches!(ended, Error::Ended(_)), "{ended}");
    vm.reset().unwrap();
    assert_eq!(run(&mut vm, &good()).unwrap(), [Value::I64(1)]);
}

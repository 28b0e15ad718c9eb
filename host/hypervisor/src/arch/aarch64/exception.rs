//! The processor's exceptions, for people.

use super::super::{Exception, Fault};

/// A fault that the stub has reported: its vector is the exception class.
pub(in super::super) fn describe_fault(fault: Fault) -> Exception {
    let Fault { vector, instruction, stack, address } = fault;
    Exception { name: name(vector).into(), vector: vector.into(), instruction, stack, address }
}

/// Arm ARM D24.2.40, ESR_EL1.EC.
fn name(class: u8) -> &'static str {
    match class {
        0x00 => "invalid instruction",
        0x01 => "wait for an interrupt",
        0x07 | 0x19 | 0x1d => "access to vector registers that are off",
        0x0e => "illegal execution state",
        0x15 => "supervisor call",
        0x18 => "access to a system register",
        0x20 | 0x21 => "instruction abort",
        0x22 | 0x26 => "alignment fault",
        0x24 | 0x25 => "page fault",
        0x2c => "floating-point exception",
        0x2f => "system error",
        0x30..=0x35 => "debug exception",
        0x3c => "breakpoint",
        _ => "exception",
    }
}

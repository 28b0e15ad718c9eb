//! The processor's exceptions, for people.

use super::super::{Exception, Fault, SYSTEM_SIZE};
use super::descriptors::STUB_STACK_TOP;

/// Vector of a page fault.
const PAGE_FAULT: u64 = 14;

/// What the stub left on its stack, in words. The guest may have forged all of it: it is
/// shown to people and decides nothing.
pub(in super::super) fn describe_report(system: &[u8; SYSTEM_SIZE]) -> Exception {
    // From the top: ss, rsp, rflags, cs, rip, error code, vector, rax, cr2.
    let word = |slot: usize| {
        let at = STUB_STACK_TOP - slot * 8;
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&system[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    let vector = word(7);
    Exception {
        name: name(vector).into(),
        vector,
        instruction: word(5),
        stack: word(2),
        address: (vector == PAGE_FAULT).then(|| word(9)),
    }
}

/// A fault that the backend itself has seen.
pub(in super::super) fn describe_fault(fault: Fault) -> Exception {
    let Fault { vector, instruction, stack, address } = fault;
    Exception {
        name: name(vector.into()).into(),
        vector: vector.into(),
        instruction,
        stack,
        address,
    }
}

/// Intel SDM volume 3A, table 7-1.
fn name(vector: u64) -> &'static str {
    match vector {
        0 => "division error",
        1 => "debug exception",
        3 => "breakpoint",
        6 => "invalid instruction",
        8 => "double fault",
        12 => "stack fault",
        13 => "general protection fault",
        PAGE_FAULT => "page fault",
        16 | 19 => "floating-point exception",
        17 => "alignment check",
        _ => "exception",
    }
}

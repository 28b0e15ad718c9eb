//! What one guest leaves must not be found by the next that boots in its process.

use crate::guest::{Guest, SIZE, code};
use std::arch::is_aarch64_feature_detected;
use wrt_vm::hypervisor::{Exit, Fault};

/// Words that `look` writes below the top of its stack.
const SEEN: usize = 64;

code!(leave:
    "mov x0, #-1" "mov x1, x0" "mov x2, x0" "mov x3, x0" "mov x4, x0" "mov x5, x0" "mov x6, x0"
    "mov x7, x0" "mov x8, x0" "mov x9, x0" "mov x10, x0" "mov x11, x0" "mov x12, x0"
    "mov x13, x0" "mov x14, x0" "mov x15, x0" "mov x16, x0" "mov x17, x0" "mov x18, x0"
    "mov x19, x0" "mov x20, x0" "mov x21, x0" "mov x22, x0" "mov x23, x0" "mov x24, x0"
    "mov x25, x0" "mov x26, x0" "mov x27, x0" "mov x28, x0" "mov x29, x0" "mov x30, x0"
    "movi v0.2d, #0xffffffffffffffff" "movi v31.2d, #0xffffffffffffffff"
    "msr tpidr_el0, x0" "mov x1, #0xf0000000" "msr nzcv, x1"
    "mov x1, #0x1c00000" "msr fpcr, x1" "mov x1, #0x9f" "msr fpsr, x1"
    "brk #0");
code!(look:
    "sub sp, sp, #512"
    "stp x0, x1, [sp]" "stp x2, x3, [sp, #16]" "stp x4, x5, [sp, #32]" "stp x6, x7, [sp, #48]"
    "stp x8, x9, [sp, #64]" "stp x10, x11, [sp, #80]" "stp x12, x13, [sp, #96]"
    "stp x14, x15, [sp, #112]" "stp x16, x17, [sp, #128]" "stp x18, x19, [sp, #144]"
    "stp x20, x21, [sp, #160]" "stp x22, x23, [sp, #176]" "stp x24, x25, [sp, #192]"
    "stp x26, x27, [sp, #208]" "stp x28, x29, [sp, #224]" "str x30, [sp, #240]"
    "stp q0, q31, [sp, #256]"
    "mrs x0, tpidr_el0" "mrs x1, nzcv" "mrs x2, fpcr" "mrs x3, fpsr"
    "stp x0, x1, [sp, #288]" "stp x2, x3, [sp, #304]"
    "brk #0");

/// What `look` saw, but for x0.
fn seen(guest: &Guest) -> Vec<u64> {
    let first = SIZE as usize / 8 - SEEN;
    // x0 says how to trap: by a breakpoint.
    assert_eq!(guest.data(first), 1);
    (1..SEEN).map(|index| guest.data(first + index)).collect()
}

#[test]
fn registers_are_those_of_a_fresh_boot() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(guest.boot(leave()), Exit::Mailbox);
    assert_eq!(guest.boot(look()), Exit::Mailbox);
    assert_eq!(seen(&guest), [0; SEEN - 1]);
}

code!(leave_at_a_call: "mov x7, #-1" "mov x8, #-1" "svc #0");

/// While it is before a call, the kernel has a register of its own in x7's place.
#[test]
fn so_are_they_after_a_system_call() {
    let Some(mut guest) = Guest::new() else { return };
    assert_eq!(guest.boot(leave_at_a_call()), Exit::SystemCall { number: u64::MAX });
    assert_eq!(guest.boot(look()), Exit::Mailbox);
    assert_eq!(seen(&guest), [0; SEEN - 1]);
}

code!(leave_wide: ".arch_extension sve" "ptrue p0.b" "mov z7.b, #-1" "brk #0");
code!(look_wide:
    ".arch_extension sve"
    "mov x9, #0x800000" "str z7, [x9]" "add x9, x9, #0x1000" "str p0, [x9]" "brk #0");

#[test]
fn wide_registers_are_too() {
    let Some(mut guest) = Guest::new() else { return };
    if !is_aarch64_feature_detected!("sve") {
        wrt_tests::skip("no SVE");
        return;
    }
    assert_eq!(guest.boot(leave_wide()), Exit::Mailbox);
    guest.set_data(0, u64::MAX);
    guest.set_data(0x200, u64::MAX);
    assert_eq!(guest.boot(look_wide()), Exit::Mailbox);
    // Up to 2048 bits, and one bit a byte of predicates.
    assert_eq!((0..32).map(|index| guest.data(index)).max(), Some(0), "vector");
    assert_eq!(guest.data(0x200) & 0xffff, 0, "predicate");
}

// Streaming mode and matrices: `smstart`, and SVCR.
code!(leave_matrices: ".inst 0xd503477f" "brk #0");
code!(look_matrices: "mov x9, #0x800000" "mrs x0, s3_3_c4_c2_2" "str x0, [x9]" "brk #0");

#[test]
fn so_is_the_mode_of_matrices() {
    let Some(mut guest) = Guest::new() else { return };
    match guest.boot(leave_matrices()) {
        Exit::Mailbox => {}
        Exit::Fault(Fault { vector: 0, .. }) => {
            wrt_tests::skip("no SME");
            return;
        }
        other => panic!("{other:?}"),
    }
    guest.set_data(0, u64::MAX);
    assert_eq!(guest.boot(look_matrices()), Exit::Mailbox);
    assert_eq!(guest.data(0), 0);
}

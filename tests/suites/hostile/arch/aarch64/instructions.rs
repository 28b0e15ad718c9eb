//! Instructions that are not for a guest.

use crate::guest::{CODE, Guest, code};
use std::arch::asm;
use wrt_vm::hypervisor::{Exit, Fault};

// Arm ARM D24.2.40, ESR_EL1.EC.
const UNKNOWN: u8 = 0x00;
const SYSTEM_REGISTER: u8 = 0x18;
const PROGRAM_COUNTER: u8 = 0x22;
const STACK_POINTER: u8 = 0x26;

const PR_GET_TSC: i32 = 25;

fn class(exit: Exit) -> u8 {
    match exit {
        Exit::Fault(Fault { vector, .. }) => vector,
        other => panic!("no fault: {other:?}"),
    }
}

code!(counter: "mrs x0, cntvct_el0");
code!(cycles: "mrs x0, pmccntr_el0");

#[test]
fn the_clock_is_kept_from_it_where_that_can_be_and_the_counters_are() {
    let Some(mut guest) = Guest::new() else { return };
    let mut state = 0;
    // SAFETY: fills in a word, where the system has the call.
    let can = unsafe { libc::prctl(PR_GET_TSC, &raw mut state) } == 0;
    let exit = guest.boot(counter());
    match can {
        true => assert_eq!(class(exit), SYSTEM_REGISTER),
        false => assert_eq!(exit, Exit::Mailbox, "before Linux 6.12"),
    }
    assert_eq!(class(guest.boot(cycles())), UNKNOWN);
    guest.assert_works();
}

code!(hypervisor_call: "hvc #0xa00");
code!(monitor_call: "smc #0");
code!(exception_return: "eret");
code!(interrupts_off: "msr daifset, #2");
code!(tables: "msr ttbr0_el1, x0");
code!(look_at_tables: "mrs x0, ttbr0_el1");
code!(vectors: "msr vbar_el1, x0");
code!(breakpoints: "msr mdscr_el1, x0");
code!(translations: "tlbi vmalle1");
code!(all_instructions: "ic iallu");
code!(data_by_set: "dc isw, x0");
code!(halt_to_debugger: "hlt #0");
code!(to_debug_state: "dcps1");
code!(undefined: "udf #0");

#[test]
fn privileged_instructions_are_faults() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [
        hypervisor_call(),
        monitor_call(),
        exception_return(),
        interrupts_off(),
        tables(),
        look_at_tables(),
        vectors(),
        breakpoints(),
        translations(),
        all_instructions(),
        data_by_set(),
        halt_to_debugger(),
        to_debug_state(),
        undefined(),
    ] {
        assert_eq!(class(guest.boot(code)), UNKNOWN, "{code:02x?}");
    }
    guest.assert_works();
}

code!(wait_for_interrupt: "wfi");
code!(wait_for_event: "wfe");

/// What it waits for comes, since other processes have interrupts; and a kick would come.
#[test]
fn waiting_is_no_way_out() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [wait_for_interrupt(), wait_for_event()] {
        assert_eq!(guest.boot(code), Exit::Mailbox);
    }
    guest.assert_works();
}

/// `brk` of that number, and `svc`.
fn break_and_call(number: u16) -> [[u8; 4]; 2] {
    [0xd420_0000, 0xd400_0001].map(|word: u32| (word | u32::from(number) << 5).to_le_bytes())
}

#[test]
fn every_breakpoint_is_the_mailbox_and_every_call_ends_it() {
    let Some(mut guest) = Guest::new() else { return };
    // With the numbers that the kernel has a use for in code of its own.
    for number in (0..16).chain([0x100, 0x400, 0x800, 0x900, 0x5512, 0x7004, 0xf000, 0xffff]) {
        let [breakpoint, call] = break_and_call(number);
        assert_eq!(guest.boot(&breakpoint), Exit::Mailbox, "brk {number}");
        assert_eq!(guest.boot(&call), Exit::SystemCall { number: 0 }, "svc {number}");
    }
    guest.assert_works();
}

code!(odd_counter: "adr x9, ." "add x9, x9, #10" "br x9" "nop" "nop");
code!(odd_stack: "mov x9, #0x800000" "add x9, x9, #0x108" "mov sp, x9" "ldr x10, [sp]");
code!(unaligned: "mov x9, #0x800000" "add x9, x9, #1" "ldr x10, [x9]");

/// Whether the processor is QEMU's, which leaves stack pointers unchecked. Arm ARM, MIDR_EL1: no
/// implementer (software), and the part that QEMU calls `max`, a Q.
fn is_emulated() -> bool {
    let identity: u64;
    // SAFETY: Linux answers for the register (`Documentation/arch/arm64/cpu-feature-registers.rst`).
    unsafe { asm!("mrs {}, midr_el1", out(reg) identity, options(nomem, nostack)) };
    identity >> 24 & 0xff == 0 && identity >> 4 & 0xfff == 0x51
}

#[test]
fn alignment_faults_have_their_classes() {
    let Some(mut guest) = Guest::new() else { return };
    match guest.boot(odd_counter()) {
        Exit::Fault(Fault { vector: PROGRAM_COUNTER, instruction, .. }) => {
            assert_eq!(instruction, CODE + 10);
        }
        other => panic!("{other:?}"),
    }
    let exit = guest.boot(odd_stack());
    match is_emulated() {
        true => assert_eq!(exit, Exit::Mailbox, "the load is harmless"),
        false => assert_eq!(class(exit), STACK_POINTER),
    }
    assert_eq!(guest.boot(unaligned()), Exit::Mailbox, "memory takes any address");
    guest.assert_works();
}

code!(no_stack: "mov x9, xzr" "mov sp, x9" "brk #0" "brk #0");
code!(flags: "mov x9, #0xf0000000" "msr nzcv, x9" "brk #0" "brk #0");

/// What the host does to a stopped guest must not depend on the state that it stopped in.
#[test]
fn the_state_that_it_stopped_in_does_not_confuse_the_host() {
    let Some(mut guest) = Guest::new() else { return };
    for code in [no_stack(), flags()] {
        assert_eq!(guest.boot(code), Exit::Mailbox);
        guest.map();
        assert_eq!(guest.run(), Exit::Mailbox, "it goes on behind the breakpoint");
    }
    guest.assert_works();
}

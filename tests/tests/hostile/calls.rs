//! System calls, by every way in that the processor has.

use crate::guest::{Guest, code};
use wrt_vm::hypervisor::Exit;

/// More than there are, with those of the x32 convention.
const NUMBERS: std::ops::Range<u64> = 0..600;
const X32: u64 = 0x4000_0000;

// The number is data, the rest is arguments that would do no harm.
code!(by_syscall: "mov 0x800000, %rax" "syscall" "movq $1, 0x800008");
code!(by_interrupt: "mov 0x800000, %rax" "int $0x80" "movq $1, 0x800008");
code!(by_sysenter: "mov 0x800000, %rax" "sysenter" "movq $1, 0x800008");
// gettimeofday, time and getcpu of the legacy page.
code!(by_vsyscall: "mov 0x800000, %rax" "mov $0x800100, %rdi" "call *%rax" "movq $1, 0x800008");

#[test]
fn no_system_call_is_made_whatever_its_number() {
    let Some(mut guest) = Guest::new() else { return };
    for number in NUMBERS.chain(NUMBERS.map(|number| X32 | number)).chain([u64::MAX >> 1]) {
        guest.set_data(0, number);
        guest.set_data(1, 0);
        assert_eq!(guest.boot(by_syscall()), Exit::SystemCall { number });
        assert_eq!(guest.data(1), 0, "the guest did not go on");
    }
    guest.assert_works();
}

#[test]
fn nor_by_the_32_bit_conventions() {
    let Some(mut guest) = Guest::new() else { return };
    for number in NUMBERS {
        guest.set_data(0, number);
        assert_eq!(guest.boot(by_interrupt()), Exit::SystemCall { number });
        // Where the processor or the system has no such thing, it is an exception.
        let exit = guest.boot(by_sysenter());
        assert!(matches!(exit, Exit::SystemCall { .. } | Exit::Fault(_)), "{number}: {exit:?}");
        assert_eq!(guest.data(1), 0, "the guest did not go on");
    }
    guest.assert_works();
}

/// The kernel emulates calls of this page where a tracer does not see them.
#[test]
fn the_legacy_page_kills_the_process_and_nothing_else() {
    let (Some(mut guest), Some(mut other)) = (Guest::new(), Guest::new()) else { return };
    for entry in [0, 0x400, 0x800] {
        guest.set_data(0, 0xffff_ffff_ff60_0000 + entry);
        let exit = guest.boot(by_vsyscall());
        let killed = Exit::Failed { code: libc::SIGSYS as u64 };
        assert!(exit == killed || matches!(exit, Exit::Fault(_)), "{exit:?}");
        assert_eq!([guest.data(1), guest.data(32)], [0, 0], "no time was told");
        other.assert_works();
        guest.clear();
        guest.assert_works();
    }
}

// The gate's first instruction, with the registers of a call that it is for; mmap; and what
// follows the call in the gate.
code!(through_the_gate:
    "mov 0x800000, %rax" "mov $0x10000000, %rdi" "mov $4096, %rsi" "mov $7, %rdx" "mov $0x22, %r10"
    "mov $-1, %r8" "xor %r9, %r9" "mov $0x600000000000, %rcx" "jmp *%rcx");
code!(behind_the_call: "mov 0x800000, %rax" "mov $0x600000000002, %rcx" "jmp *%rcx");

#[test]
fn the_gate_is_closed_to_the_guest() {
    let Some(mut guest) = Guest::new() else { return };
    for number in [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_munmap, libc::SYS_mremap] {
        let number = number.cast_unsigned();
        guest.set_data(0, number);
        let exit = guest.boot(through_the_gate());
        assert_eq!(exit, Exit::SystemCall { number });
    }
    // A breakpoint is a breakpoint: the mailbox, which the guest may deliver as it likes.
    assert_eq!(guest.boot(behind_the_call()), Exit::Mailbox);
    guest.assert_works();
}

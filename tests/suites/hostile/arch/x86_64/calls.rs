//! System calls by the ways in that only this processor has.

use crate::calls::NUMBERS;
use crate::guest::{Guest, code};
use wrt_vm::hypervisor::Exit;

// The number is data, the rest is arguments that would do no harm.
code!(by_interrupt: "mov 0x800000, %rax" "int $0x80" "movq $1, 0x800008");
code!(by_sysenter: "mov 0x800000, %rax" "sysenter" "movq $1, 0x800008");
// gettimeofday, time and getcpu of the legacy page.
code!(by_vsyscall: "mov 0x800000, %rax" "mov $0x800100, %rdi" "call *%rax" "movq $1, 0x800008");

#[test]
fn none_is_made_by_the_32_bit_conventions() {
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
        let killed = Exit::Killed { signal: libc::SIGSYS as u32 };
        assert!(exit == killed || matches!(exit, Exit::Fault(_)), "{exit:?}");
        assert_eq!([guest.data(1), guest.data(32)], [0, 0], "no time was told");
        other.assert_works();
        guest.clear();
        guest.assert_works();
    }
}

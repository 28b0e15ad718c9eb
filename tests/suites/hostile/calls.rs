//! System calls.

use crate::arch::{behind_the_call, by_call, through_the_gate};
use crate::guest::Guest;
use wrt_vm::hypervisor::Exit;

/// More than there are.
pub(crate) const NUMBERS: std::ops::Range<u64> = 0..600;
/// Bit of x86-64's x32 convention.
const X32: u64 = 0x4000_0000;

#[test]
fn no_system_call_is_made_whatever_its_number() {
    let Some(mut guest) = Guest::new() else { return };
    for number in NUMBERS.chain(NUMBERS.map(|number| X32 | number)).chain([u64::MAX >> 1]) {
        guest.set_data(0, number);
        guest.set_data(1, 0);
        assert_eq!(guest.boot(by_call()), Exit::SystemCall { number });
        assert_eq!(guest.data(1), 0, "the guest did not go on");
    }
    guest.assert_works();
}

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

//! Memory that is not the guest's, or not for this.

use crate::guest::{CODE, DATA, Guest, SIZE, code};
use wrt_abi::process::{GATE_BASE, WINDOW_BASE, WINDOW_SIZE};
use wrt_vm::hypervisor::{Exit, Fault};

const PAGE_FAULT: u8 = 14;

code!(read: "mov 0x800000, %rax" "mov (%rax), %rbx");
code!(write: "mov 0x800000, %rax" "mov %rbx, (%rax)");
code!(execute: "mov 0x800000, %rax" "jmp *%rax");

#[track_caller]
fn assert_page_fault(exit: Exit, address: u64) {
    match exit {
        Exit::Fault(Fault { vector: PAGE_FAULT, address: Some(at), .. }) => assert_eq!(at, address),
        other => panic!("{address:#x}: {other:?}"),
    }
}

#[test]
fn there_is_nothing_outside_its_memory() {
    let Some(mut guest) = Guest::new() else { return };
    let edges = [
        0,
        CODE - 8,
        CODE + SIZE,
        DATA - 8,
        DATA + SIZE,
        WINDOW_BASE,
        WINDOW_BASE + 0x10_0000,
        WINDOW_BASE + 0x20_0000,
        WINDOW_BASE + WINDOW_SIZE - 8,
        WINDOW_BASE + WINDOW_SIZE,
        GATE_BASE - 8,
        GATE_BASE + 4096,
        // Where a process has its stack, and the kernel's own pages.
        0x7fff_ffff_e000,
        0xffff_8000_0000_0000,
    ];
    for address in edges {
        guest.set_data(0, address);
        for code in [read(), write(), execute()] {
            assert_page_fault(guest.boot(code), address);
        }
    }
    guest.assert_works();
}

#[test]
fn nothing_is_writable_and_executable() {
    let Some(mut guest) = Guest::new() else { return };
    for address in [CODE, GATE_BASE] {
        guest.set_data(0, address);
        assert_page_fault(guest.boot(write()), address);
    }
    guest.set_data(0, DATA + 64);
    assert_page_fault(guest.boot(execute()), DATA + 64);
    guest.assert_works();
}

//! Memory that is not the guest's, or not for this.

use crate::arch::{ACCESS_FAULT, EDGES, FETCH_FAULT, execute, read, write};
use crate::guest::{CODE, DATA, Guest, SIZE};
use wrt_abi::process::{GATE_BASE, WINDOW_BASE, WINDOW_SIZE};
use wrt_platform::memory::page_size;
use wrt_vm::hypervisor::{Exit, Fault};

#[track_caller]
fn assert_page_fault(exit: Exit, kind: u8, address: u64) {
    match exit {
        Exit::Fault(Fault { vector, address: Some(at), .. }) => {
            assert_eq!((vector, at), (kind, address));
        }
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
        GATE_BASE + page_size() as u64,
    ];
    for address in edges.into_iter().chain(EDGES) {
        guest.set_data(0, address);
        for (code, kind) in
            [(read(), ACCESS_FAULT), (write(), ACCESS_FAULT), (execute(), FETCH_FAULT)]
        {
            assert_page_fault(guest.boot(code), kind, address);
        }
    }
    guest.assert_works();
}

#[test]
fn nothing_is_writable_and_executable() {
    let Some(mut guest) = Guest::new() else { return };
    for address in [CODE, GATE_BASE] {
        guest.set_data(0, address);
        assert_page_fault(guest.boot(write()), ACCESS_FAULT, address);
    }
    guest.set_data(0, DATA + 64);
    assert_page_fault(guest.boot(execute()), FETCH_FAULT, DATA + 64);
    guest.assert_works();
}

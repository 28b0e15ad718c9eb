//! What an attacker has on 64-bit Arm alone: system registers, calls of a hypervisor and of
//! firmware, vectors, debug and timers.
//!
//! Where the host has a register in its list for a boot (`host/hypervisor/src/arch/aarch64/`
//! `registers.rs`), what EL0 may do is decided there.

mod calls;
mod exceptions;
mod registers;
mod residue;
mod time;
mod translation;

use super::processor::{all_ring_0, all_ring_3};
use super::{EVIL, RINGS, arm, case, logging};
use crate::attack::Attack;
use crate::case::Case;
use crate::orders::Orders;
use std::time::Duration;
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, WINDOW};
use wrt_vm::Backend;

const TABLES: &str = "x86 has a table of its own: `cpu-all-ring-3` and `cpu-all-ring-0`";
const REGISTERS: &str = "x86 has model-specific registers: `cpu-msrs`, `cpu-modes`";
const CALLS: &str = "x86 has ports: `ports-ring-3`, `ports-ring-0`";
const CODE: &str = "x86 executes in ring 0 what ring 3 writes: `paging-window`";
const OTHERS: &str = "x86 has others: `cpu-clocks`, `cpu-denied`, `cpu-handlers`";
const STATE: &str = "`residue-debug` and `residue-instruction` are about x86";

/// Of hundreds of programs, with a line in the log for each; on a processor that is emulated they
/// take minutes.
const fn sweep(case: Case) -> Case {
    Case { limit: Duration::from_secs(900), ..logging(256 << 10, case) }
}

pub(super) const CASES: &[Case] = &[
    sweep(arm(TABLES, case("arm-all-el0", &[58], EVIL, "every instruction at EL0", all_ring_3))),
    sweep(arm(
        TABLES,
        case("arm-all-el1", &[29, 58], RINGS, "every instruction at EL1", all_ring_0),
    )),
    sweep(arm(
        REGISTERS,
        case("arm-registers-el0", &[58], RINGS, "system registers, from EL0", registers::of_el0),
    )),
    sweep(arm(
        REGISTERS,
        case("arm-registers-el1", &[58], RINGS, "system registers, from EL1", registers::of_el1),
    )),
    arm(
        REGISTERS,
        case("arm-modes", &[29], RINGS, "registers that turn translation off", registers::modes),
    ),
    arm(
        OTHERS,
        case("arm-denied", &[58], RINGS, "instructions that are denied to EL0", registers::denied),
    ),
    arm(OTHERS, case("arm-clocks", &[58], RINGS, "counters of time and events", time::clocks)),
    arm(
        OTHERS,
        case("arm-timers", &[44, 58], RINGS, "timers, and interrupts let through", time::timers),
    ),
    arm(OTHERS, case("arm-waits", &[44], RINGS, "waiting for interrupts and events", time::waits)),
    arm(
        OTHERS,
        case("arm-vectors", &[10, 44], RINGS, "vectors that are not there", exceptions::vectors),
    ),
    arm(
        OTHERS,
        case("arm-stacks", &[24], RINGS, "stack pointers that are not aligned", exceptions::stacks),
    ),
    arm(
        OTHERS,
        case("arm-debug", &[43, 58], RINGS, "breakpoints, watchpoints, steps", exceptions::debug),
    ),
    arm(
        CALLS,
        case("arm-hvc", &[16, 58], RINGS, "calls of a hypervisor, by every number", calls::hvc),
    ),
    arm(CALLS, case("arm-firmware", &[16, 58], RINGS, "calls of firmware", calls::firmware)),
    arm(CALLS, case("arm-doorbell", &[38], RINGS, "accesses to the doorbell", calls::doorbell)),
    arm(
        CODE,
        case("arm-own-code", &[9, 10], RINGS, "code of its own at EL1", translation::own_code),
    ),
    arm(
        "`paging-loops` has those of x86",
        case(
            "arm-paging-loops",
            &[12],
            RINGS,
            "page tables that lead to themselves",
            translation::loops,
        ),
    ),
    arm(
        STATE,
        case("arm-residue", &[13], RINGS, "system registers after a reset", residue::residue),
    ),
    arm(
        STATE,
        case(
            "arm-residue-access",
            &[13, 29],
            RINGS,
            "an access that ended a VM",
            residue::residue_access,
        ),
    ),
];

/// Classes of exceptions by which an instruction is denied: undefined, waiting, vectors or
/// matrices that are off, access to a register, a call that is the guest's own to take.
const DENIALS: &[u64] = &[0x00, 0x01, 0x18, 0x19, 0x1d, 0x0a];

/// Words of code at EL1, written by the window for EL0 and executed by the other.
fn run_at_el1(attack: &Attack, words: &[u32], x0: u64) -> Orders {
    /// In the image's data, behind what the guest itself uses of its scratch memory.
    const PLACE: u64 = 0x8000;
    let processor = attack.processor();
    let place = processor.places.data + PLACE;
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Orders::new().window(processor).set(5, WINDOW + place).bytes(5, 0, &code).privileged(
        Arm::JumpTo,
        x0,
        ARM_PRIVILEGED_WINDOW + place,
    )
}

const ERET: u32 = 0xd69f_03e0;

/// Whether Linux serves a call itself, as it does those of firmware.
fn serves_calls(attack: &Attack) -> bool {
    attack.setup.backend == Backend::Kvm
}

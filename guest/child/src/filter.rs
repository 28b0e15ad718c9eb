//! The second wall: a filter that kills the process at any system call but three, from the
//! gate, in the 64-bit convention.
//!
//! The first wall is the tracer, who never lets a call of the guest begin. This one also holds
//! for calls that a tracer does not see: those of x86-64's legacy `vsyscall` page, which the
//! kernel emulates (the filter is asked, with the page's address as the caller's).

use crate::arch::{CALL_LEN, CONVENTION, MAPPING_CALLS};
use crate::system::{Call, address, call};
use core::mem::offset_of;
use wrt_abi::process::GATE_BASE;

/// `struct sock_filter` of `linux/filter.h`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    instructions: *const Instruction,
}

/// `struct seccomp_data` of `linux/seccomp.h`: what a filter is told.
#[repr(C)]
struct Told {
    number: u32,
    architecture: u32,
    caller: u64,
    arguments: [u64; 6],
}

const SECCOMP_SET_MODE_FILTER: u64 = 1;
const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;

/// Loads a word of [`Told`].
const fn load(offset: usize) -> Instruction {
    // BPF_LD | BPF_W | BPF_ABS
    Instruction { code: 0x20, if_true: 0, if_false: 0, operand: offset as u32 }
}

/// Goes `if_true` or `if_false` instructions on, as the word is `operand` or not.
const fn equals(operand: u32, if_true: u8, if_false: u8) -> Instruction {
    // BPF_JMP | BPF_JEQ | BPF_K
    Instruction { code: 0x15, if_true, if_false, operand }
}

const fn answer(operand: u32) -> Instruction {
    // BPF_RET | BPF_K
    Instruction { code: 0x06, if_true: 0, if_false: 0, operand }
}

/// What the kernel takes for the address of the gate's instruction.
const CALLER: u64 = GATE_BASE + CALL_LEN;

static FILTER: [Instruction; 12] = [
    load(offset_of!(Told, architecture)),
    equals(CONVENTION, 0, 9),
    load(offset_of!(Told, caller)),
    equals(CALLER as u32, 0, 7),
    load(offset_of!(Told, caller) + 4),
    equals((CALLER >> 32) as u32, 0, 5),
    load(offset_of!(Told, number)),
    equals(MAPPING_CALLS[0], 2, 0),
    equals(MAPPING_CALLS[1], 1, 0),
    equals(MAPPING_CALLS[2], 0, 1),
    answer(ALLOW),
    answer(KILL_PROCESS),
];

/// Installs the filter: from here on only the gate may call.
///
/// # Errors
///
/// The errno.
pub fn install() -> Result<(), u32> {
    let program = Program { len: FILTER.len() as u16, instructions: FILTER.as_ptr() };
    let program = address(&raw const program);
    call(Call::Seccomp, [SECCOMP_SET_MODE_FILTER, 0, program, 0, 0, 0]).map(|_| ())
}

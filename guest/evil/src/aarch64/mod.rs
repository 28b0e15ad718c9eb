//! 64-bit Arm: EL0, EL1, and the way between them.

mod access;
mod window;

pub use access::{make_executable, read, write};
pub use window::open as open_window;

use crate::runtime_main;
use core::arch::{asm, global_asm};
use core::ptr::{addr_of, addr_of_mut};
use wrt_abi::boot::{MAGIC, TRAP_BY_BREAKPOINT};
use wrt_abi::layout::{SYSTEM_BASE, arm};
use wrt_evil::Arm;

/// In w14: what is undefined is meant.
const GATE: u32 = 0x0e71_1e57;
/// Offset of a word of SYSTEM that the host does not use.
const POLICY: u64 = 0x2000;
/// Bytes from one instruction of a table to the next.
const STRIDE: usize = 16;

global_asm!(
    include_str!("runtime.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    gate_low = const GATE & 0xffff,
    gate_high = const GATE >> 16,
);

macro_rules! tables {
    (
        { $( $name:ident = $code:literal; )* }
        { $( $register:ident = $encoding:literal; )* }
    ) => {
        // One piece: the vectors come first.
        global_asm!(
            include_str!("stub.S"),
            ".globl privileged_instructions",
            ".balign {stride}",
            "privileged_instructions:",
            $( concat!(".balign {stride}\n", $code, "\neret"), )*
            $(
                concat!(".balign {stride}\nmrs x0, ", $encoding, "\neret"),
                concat!(".balign {stride}\nmsr ", $encoding, ", x0\neret"),
            )*
            ".section .text.instructions, \"ax\", %progbits",
            ".globl instructions",
            ".balign {stride}",
            "instructions:",
            $( concat!(".balign {stride}\n", $code, "\nret"), )*
            $(
                concat!(".balign {stride}\nmrs x0, ", $encoding, "\nret"),
                concat!(".balign {stride}\nmsr ", $encoding, ", x0\nret"),
            )*
            stride = const STRIDE,
            system_high = const SYSTEM_BASE >> 16,
            doorbell = const arm::SYSTEM_DOORBELL,
            upkeep = const arm::SYSTEM_UPKEEP,
            policy = const POLICY,
            ring_mailbox = const arm::RING_MAILBOX,
            ring_fault = const arm::RING_FAULT,
            hvc_mailbox = const arm::HVC_MAILBOX,
            hvc_fault = const arm::HVC_FAULT,
            boot_offset = const arm::BOOT_OFFSET,
            el0 = const arm::PSTATE_EL0,
            gate_low = const GATE & 0xffff,
            gate_high = const GATE >> 16,
        );
    };
}

wrt_evil::arm_instructions!(tables);

unsafe extern "C" {
    static instructions: u8;
    static privileged_instructions: u8;
    static gate_policy: u8;
    static entry_state: [u64; 37];
    static entry_vectors: [u64; 64];
    static mut last_fault: [u64; 3];
    static mut by_breakpoint: u64;
    fn attempt_raw(argument: *mut u8, function: extern "C" fn(*mut u8)) -> u64;
    fn run_here(registers: *mut u64, address: usize);
    fn run_privileged(registers: *mut u64, address: usize);
    fn trap_with_registers(word: u64);
}

/// Takes the host's word for how to trap.
pub fn set_trap(how: u64) {
    // SAFETY: there is one thread.
    unsafe { addr_of_mut!(by_breakpoint).write_volatile((how == TRAP_BY_BREAKPOINT).into()) };
}

fn is_process() -> bool {
    // SAFETY: there is one thread.
    unsafe { addr_of!(by_breakpoint).read_volatile() != 0 }
}

/// The trapping instruction.
pub fn trap() {
    // SAFETY: the host touches what it was told to touch, and the mailbox; the stub changes the
    // two registers that are named.
    unsafe {
        if is_process() {
            asm!("brk #0", options(nostack, preserves_flags));
        } else {
            asm!(
                "svc #0",
                out("x16") _,
                out("x17") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// The trapping instruction with a word in every register.
pub fn trap_with(word: u64) {
    // SAFETY: it puts back what the compiler relies on.
    unsafe { trap_with_registers(word) };
}

/// Does `what`; an exception is the end of it. Returns whether there was none.
pub fn attempt<F: FnMut()>(mut what: F) -> bool {
    extern "C" fn thunk<F: FnMut()>(what: *mut u8) {
        // SAFETY: the pointer that `attempt` has passed.
        unsafe { (*what.cast::<F>())() }
    }
    // SAFETY: the closure lives as long as this call. What an exception cuts short leaves no
    // more than memory half-written, which all of this program expects.
    unsafe { attempt_raw((&raw mut what).cast(), thunk::<F>) == 0 }
}

/// Goes to an address with registers.
pub fn jump(registers: &mut [u64; 6], address: usize) {
    // SAFETY: none, that is the point; an attempt is around it.
    unsafe { run_here(registers.as_mut_ptr(), address) };
}

fn number(of: u32) -> usize {
    (of % Arm::NUMBERS) as usize * STRIDE
}

/// Executes an instruction here.
pub fn instruction(registers: &mut [u64; 6], of: u32) {
    jump(registers, (&raw const instructions).addr() + number(of));
}

/// Executes an instruction at EL1.
pub fn privileged(registers: &mut [u64; 6], of: u32) {
    gate(registers, (&raw const privileged_instructions).addr() + number(of));
}

fn gate(registers: &mut [u64; 6], address: usize) {
    // SAFETY: as in `jump`.
    unsafe { run_privileged(registers.as_mut_ptr(), address) };
}

/// Sets what handlers do.
pub fn set_policy(policy: u32) {
    gate(&mut [policy.into(), 0, 0, 0, 0, 0], (&raw const gate_policy).addr());
}

/// Class, address and count of exceptions; then there were none.
pub fn take_faults() -> [u64; 3] {
    // SAFETY: there is one thread.
    unsafe {
        let faults = addr_of!(last_fault).read_volatile();
        addr_of_mut!(last_fault).write_volatile([0; 3]);
        faults
    }
}

/// The registers at the first instruction.
pub fn entry_words() -> [u64; Arm::ENTRY_WORDS] {
    let mut words = [0; Arm::ENTRY_WORDS];
    // SAFETY: there is one thread, and the entry has written them.
    unsafe {
        words[..37].copy_from_slice(&*addr_of!(entry_state));
        words[37..].copy_from_slice(&*addr_of!(entry_vectors));
    }
    words
}

//! What the assembly of both processors offers: attempts, jumps, and the gate to ring 0 or EL1.

use crate::arch::{Cpu, STATE, STRIDE};
use core::ptr::{addr_of, addr_of_mut};
use wrt_abi::boot::TRAP_BY_BREAKPOINT;

unsafe extern "C" {
    static instructions: u8;
    static privileged_instructions: u8;
    static gate_policy: u8;
    static entry_state: [u64; STATE];
    static entry_vectors: [u64; Cpu::ENTRY_WORDS - STATE];
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

/// Whether a breakpoint is how to trap: there is a process around this program, and no VM.
pub fn is_process() -> bool {
    // SAFETY: there is one thread.
    unsafe { addr_of!(by_breakpoint).read_volatile() != 0 }
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
    (of % Cpu::NUMBERS) as usize * STRIDE
}

/// Executes an instruction here.
pub fn instruction(registers: &mut [u64; 6], of: u32) {
    jump(registers, (&raw const instructions).addr() + number(of));
}

/// Executes an instruction in ring 0, or at EL1.
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

/// Vector or class, address, and count of exceptions; then there were none.
pub fn take_faults() -> [u64; 3] {
    // SAFETY: there is one thread.
    unsafe {
        let faults = addr_of!(last_fault).read_volatile();
        addr_of_mut!(last_fault).write_volatile([0; 3]);
        faults
    }
}

/// The registers at the first instruction.
pub fn entry_words() -> [u64; Cpu::ENTRY_WORDS] {
    let mut words = [0; Cpu::ENTRY_WORDS];
    // SAFETY: there is one thread, and the entry has written them.
    unsafe {
        words[..STATE].copy_from_slice(&*addr_of!(entry_state));
        words[STATE..].copy_from_slice(&*addr_of!(entry_vectors));
    }
    words
}

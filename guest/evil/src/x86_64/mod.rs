//! x86-64: ring 3, ring 0, and the way between them.

mod access;
mod window;

pub use access::{make_executable, read, write};
pub use window::open as open_window;

use crate::runtime_main;
use core::arch::{asm, global_asm};
use core::ptr::{addr_of, addr_of_mut};
use wrt_abi::boot::{MAGIC, TRAP_BY_BREAKPOINT};
use wrt_abi::layout::{SYSTEM_BASE, X86_FAULT_PORT, X86_MAILBOX_PORT, X86_VECTOR_STRIDE};
use wrt_evil::X86;

/// In r15d: what is invalid is meant.
const GATE: u32 = 0x0e71_1e57;
/// A word of SYSTEM that the host does not use.
const POLICY: u64 = SYSTEM_BASE + 0x2000;
/// Bytes from one instruction of a table to the next.
const STRIDE: usize = 64;

global_asm!(
    include_str!("runtime.S"),
    runtime_main = sym runtime_main,
    magic = const MAGIC,
    gate = const GATE,
    mailbox_port = const X86_MAILBOX_PORT,
    options(att_syntax),
);

macro_rules! tables {
    ($( $name:ident = $code:literal; )*) => {
        // One piece: the vectors come first.
        global_asm!(
            include_str!("stub.S"),
            ".globl privileged_instructions",
            ".balign {stride}",
            "privileged_instructions:",
            $( concat!(".balign {stride}\n", $code, "\njmp gate_return"), )*
            ".section .text.instructions, \"ax\", @progbits",
            ".globl instructions",
            ".balign {stride}",
            "instructions:",
            $( concat!(".balign {stride}\n", $code, "\nret"), )*
            gate = const GATE,
            policy = const POLICY,
            stride = const STRIDE,
            vector_stride = const X86_VECTOR_STRIDE,
            fault_port = const X86_FAULT_PORT,
            mailbox_port = const X86_MAILBOX_PORT,
            stub_stack = const SYSTEM_BASE + 0x4000,
            user_data = const 0x18 | 3,
            user_code = const 0x20 | 3,
            options(att_syntax),
        );
    };
}

wrt_evil::x86_instructions!(tables);

unsafe extern "C" {
    static instructions: u8;
    static privileged_instructions: u8;
    static gate_policy: u8;
    static entry_state: [u64; 23];
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
    // SAFETY: the host touches what it was told to touch, and the mailbox.
    unsafe {
        if is_process() {
            asm!("int3", options(nostack, preserves_flags));
        } else {
            asm!(
                "out dx, al",
                in("dx") X86_MAILBOX_PORT,
                in("al") 0_u8,
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
    (of % X86::NUMBERS) as usize * STRIDE
}

/// Executes an instruction here.
pub fn instruction(registers: &mut [u64; 6], of: u32) {
    jump(registers, (&raw const instructions).addr() + number(of));
}

/// Executes an instruction in ring 0.
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

/// Vector, address and count of exceptions; then there were none.
pub fn take_faults() -> [u64; 3] {
    // SAFETY: there is one thread.
    unsafe {
        let faults = addr_of!(last_fault).read_volatile();
        addr_of_mut!(last_fault).write_volatile([0; 3]);
        faults
    }
}

/// The registers at the first instruction.
pub fn entry_words() -> [u64; X86::ENTRY_WORDS] {
    let mut words = [0; X86::ENTRY_WORDS];
    // SAFETY: there is one thread, and the entry has written them.
    unsafe {
        words[..23].copy_from_slice(&*addr_of!(entry_state));
        words[23..].copy_from_slice(&*addr_of!(entry_vectors));
    }
    words
}

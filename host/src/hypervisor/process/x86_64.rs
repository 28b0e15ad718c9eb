//! Registers of a child on x86-64.

pub(super) use super::super::x86_64::check_processor;
use super::super::{Fault, x86_64};
use super::child::MappingCall;
use crate::machine::arch::{BootState, FaultHandler};
use wrt_abi::boot::TRAP_BY_BREAKPOINT;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::process::GATE_BASE;

/// The processor of the guests.
pub(super) const ARCH: Arch = Arch::X86_64;

/// Linux's selectors of 64-bit code and of data in ring 3.
const USER_CODE: u64 = 0x33;
const USER_DATA: u64 = 0x2b;
/// Reserved bit 1, always set. What the kernel insists on it sets by itself.
const RFLAGS: u64 = 1 << 1;
/// There is no system call that a signal could have interrupted.
const NO_CALL: u64 = u64::MAX;

/// The general registers, with those that an operating system has for a thread.
#[derive(Clone, Copy)]
pub(super) struct Registers(libc::user_regs_struct);

impl Default for Registers {
    fn default() -> Self {
        // SAFETY: plain words.
        Self(unsafe { std::mem::zeroed() })
    }
}

impl Registers {
    /// All of them zero but what 64-bit code needs. The guest may have changed any register
    /// of its own, selectors too: nothing of it is taken over.
    fn clean(instruction: u64) -> Self {
        let mut registers = Self::default();
        registers.0.rip = instruction;
        registers.0.cs = USER_CODE;
        registers.0.ss = USER_DATA;
        registers.0.eflags = RFLAGS;
        registers.0.orig_rax = NO_CALL;
        registers
    }

    /// A guest's at its first instruction.
    pub(super) fn for_boot(state: &BootState) -> Self {
        let mut registers = Self::clean(state.entry.0);
        registers.0.rsp = state.stack.0;
        registers.0.rdi = TRAP_BY_BREAKPOINT;
        registers
    }

    /// Those with which the gate makes a call, and then another.
    pub(super) fn for_call(first: MappingCall, second: Option<MappingCall>) -> Self {
        let mut registers = Self::clean(GATE_BASE);
        let (number, [a, b, c, d, e]) = first.words();
        let r = &mut registers.0;
        (r.rax, r.rdi, r.rsi, r.rdx, r.r10, r.r8) = (number, a, b, c, d, e);
        if let Some(second) = second {
            let (number, [a, b, c, ..]) = second.words();
            (r.rbx, r.r12, r.r13, r.r14) = (number, a, b, c);
        }
        registers
    }

    /// Changes them as the stub would have it: see `deliver` in the guest's `stub.S`.
    pub(super) fn deliver(&mut self, fault: &Fault, handler: &FaultHandler) {
        let r = &mut self.0;
        r.rdi = fault.vector.into();
        r.rsi = r.rip;
        r.rdx = r.rbp;
        r.rcx = fault.address.unwrap_or(0);
        r.r8 = r.rsp;
        r.rip = handler.entry.0;
        r.rsp = handler.stack.0;
        r.cs = USER_CODE;
        r.ss = USER_DATA;
        r.eflags = RFLAGS;
        r.orig_rax = NO_CALL;
    }

    /// What a call, or the child's report, left.
    pub(super) fn result(&self) -> u64 {
        self.0.rax
    }

    /// Instruction pointer, stack pointer, and number of the system call if there is one.
    pub(super) fn at_stop(&self) -> (u64, u64, u64) {
        (self.0.rip, self.0.rsp, self.0.orig_rax)
    }

    pub(super) fn as_ptr(&self) -> *const libc::user_regs_struct {
        &raw const self.0
    }

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::user_regs_struct {
        &raw mut self.0
    }
}

/// The extended state (`XSAVE`): vector and floating-point units, protection keys.
pub(super) struct Vectors(Vec<u8>);

/// More than any processor has: AMX alone takes 8 KiB.
const VECTORS_MAX: usize = 32 << 10;

impl Vectors {
    /// `NT_X86_XSTATE` of `linux/elf.h`.
    pub(super) const KIND: usize = 0x202;

    /// Room for it.
    pub(super) fn room() -> Self {
        Self(vec![0; VECTORS_MAX])
    }

    /// What of the room is used.
    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
        self.0.shrink_to_fit();
    }

    pub(super) fn as_iovec(&mut self) -> libc::iovec {
        libc::iovec { iov_base: self.0.as_mut_ptr().cast(), iov_len: self.0.len() }
    }
}

/// What compiled code may use: all that the processor and the system have, since the child is
/// a process like any other.
pub(super) fn code_features() -> CpuFeatures {
    x86_64::features(CpuFeatures::X86_64_V3)
}

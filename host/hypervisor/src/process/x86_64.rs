//! Registers of a child on x86-64.

use super::child::MappingCall;
use super::ptrace;
use super::sets::SetKind;
use super::stop::{BUS_ADRALN, RawStop, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, Stop};
use crate::arch::{BootState, Fault, FaultHandler};
use crate::x86_64;
pub(super) use crate::x86_64::check_processor;
use std::ffi::{c_int, c_long};
use std::io;
use wrt_abi::boot::TRAP_BY_BREAKPOINT;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::process::{CPUID_FAULTS, GATE_BASE, Report};

/// The processor of the guests.
pub(super) const ARCH: Arch = Arch::X86_64;

/// Bytes from where the processor stops at a breakpoint to behind it: it stops there.
pub(super) const BREAKPOINT_LEN: u64 = 0;

/// The extended state (`XSAVE`, `NT_X86_XSTATE`): vector and floating-point units, protection
/// keys.
pub(super) const OTHER_SETS: &[SetKind] =
    &[SetKind { number: 0x202, always: true, tells_len: false }];

// Vectors: Intel SDM volume 3A, table 7-1.
const DIVISION: u8 = 0;
const INSTRUCTION: u8 = 6;
const STACK: u8 = 12;
const PROTECTION: u8 = 13;
const PAGE: u8 = 14;
const ALIGNMENT: u8 = 17;
const FLOATING_POINT: u8 = 19;

/// `si_code` of SIGSEGV: a protection key.
const SEGV_PKUERR: c_int = 4;
/// `si_code` of SIGFPE: an integer division.
const FPE_INTDIV: c_int = 1;

/// One past the highest address that a process may map.
pub(super) fn address_end() -> u64 {
    0x7fff_ffff_f000
}

/// What a child keeps from its guest, for people.
pub(super) fn describe_kept(kept: Report) -> &'static str {
    match kept & CPUID_FAULTS != 0 {
        true => "time stamps, the processor's description of itself",
        false => "time stamps (CPUID cannot be denied here, or not cheaply)",
    }
}

/// The exception behind a signal that the kernel sent for an instruction.
pub(super) fn exception(signal: c_int, raw: &RawStop) -> Option<Stop> {
    let fault = |vector, address| raw.fault(vector, address);
    Some(match (signal, raw.code) {
        (libc::SIGSEGV, SEGV_MAPERR | SEGV_ACCERR | SEGV_PKUERR) => {
            Stop::Fault(fault(PAGE, Some(raw.address)))
        }
        (libc::SIGSEGV, _) => Stop::Exception(fault(PROTECTION, None)),
        (libc::SIGILL, _) => Stop::Fault(fault(INSTRUCTION, None)),
        (libc::SIGFPE, FPE_INTDIV) => Stop::Fault(fault(DIVISION, None)),
        (libc::SIGFPE, _) => Stop::Exception(fault(FLOATING_POINT, None)),
        (libc::SIGBUS, BUS_ADRALN) => Stop::Exception(fault(ALIGNMENT, None)),
        // An address that is none, by way of the stack.
        (libc::SIGBUS, SI_KERNEL) => Stop::Exception(fault(STACK, None)),
        _ => return None,
    })
}

/// Linux's selectors of 64-bit code and of data in ring 3.
const USER_CODE: u64 = 0x33;
const USER_DATA: u64 = 0x2b;
/// Reserved bit 1, always set. What the kernel insists on it sets by itself.
const RFLAGS: u64 = 1 << 1;
/// There is no system call that a signal could have interrupted.
const NO_CALL: u64 = u64::MAX;

// `linux/ptrace.h`.
const GETREGS: c_long = 12;
const SETREGS: c_long = 13;

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

    /// Goes on `bytes` further.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.0.rip = self.0.rip.wrapping_add(bytes);
    }

    /// Those of a child. (Not as a set: which set the kernel takes for the general registers
    /// depends on the mode that the guest has gone into.)
    pub(super) fn read(pid: libc::pid_t) -> io::Result<Self> {
        let mut registers = Self::default();
        let to = (&raw mut registers.0).cast();
        // SAFETY: this request fills in a `user_regs_struct`.
        unsafe { ptrace::call(GETREGS, pid, std::ptr::null_mut(), to) }?;
        Ok(registers)
    }

    /// Gives them to a child.
    pub(super) fn write(&self, pid: libc::pid_t) -> io::Result<()> {
        let from = (&raw const self.0).cast_mut().cast();
        // SAFETY: this request reads a `user_regs_struct`.
        unsafe { ptrace::call(SETREGS, pid, std::ptr::null_mut(), from) }
    }
}

/// What compiled code may use: all that the processor and the system have, since the child is
/// a process like any other.
pub(super) fn code_features() -> CpuFeatures {
    x86_64::features(CpuFeatures::X86_64_V3)
}

#[cfg(test)]
mod tests {
    use super::super::stop;
    use super::*;

    #[test]
    fn signals_that_an_instruction_caused_are_its_exceptions() {
        let vector = |signal: c_int, code| {
            let raw = RawStop { status: signal << 8 | 0x7f, code, ..RawStop::default() };
            match stop::decode(raw) {
                Stop::Fault(fault) => (fault.vector, true),
                Stop::Exception(fault) => (fault.vector, false),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(vector(libc::SIGFPE, FPE_INTDIV), (DIVISION, true));
        assert_eq!(vector(libc::SIGFPE, 3), (FLOATING_POINT, false));
        assert_eq!(vector(libc::SIGILL, 2), (INSTRUCTION, true));
        assert_eq!(vector(libc::SIGSEGV, SEGV_MAPERR), (PAGE, true));
        assert_eq!(vector(libc::SIGSEGV, SEGV_ACCERR), (PAGE, true));
        assert_eq!(vector(libc::SIGSEGV, SI_KERNEL), (PROTECTION, false));
        assert_eq!(vector(libc::SIGBUS, BUS_ADRALN), (ALIGNMENT, false));
        assert_eq!(vector(libc::SIGBUS, SI_KERNEL), (STACK, false));
    }
}

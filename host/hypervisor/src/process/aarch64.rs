//! Registers of a child on 64-bit Arm, and what its kernel must be like.

use super::child::MappingCall;
use super::ptrace;
use super::sets::SetKind;
use super::stop::{BUS_ADRALN, RawStop, SEGV_ACCERR, SEGV_MAPERR, SI_KERNEL, Stop};
use crate::arch::{BootState, Fault, FaultHandler};
use crate::error::HypervisorError;
use std::arch::is_aarch64_feature_detected;
use std::ffi::c_int;
use std::io;
use wrt_abi::boot::TRAP_BY_BREAKPOINT;
use wrt_abi::cpu::{Arch, CpuFeatures};
use wrt_abi::layout::GRANULE;
use wrt_abi::process::{CLOCK_FAULTS, GATE_BASE, GATE_SIZE, Report};
use wrt_platform::memory::page_size;

/// The processor of the guests.
pub(super) const ARCH: Arch = Arch::Aarch64;

/// Bytes from where the processor stops at a breakpoint to behind it.
pub(super) const BREAKPOINT_LEN: u64 = 4;

/// What a guest can set besides general registers. Vectors are told twice: the longer set also
/// takes the processor out of streaming mode, and its upper bits away.
pub(super) const OTHER_SETS: &[SetKind] = &[
    // NT_PRFPREG: vectors of 128 bits, FPSR, FPCR.
    SetKind { number: 2, always: true, tells_len: false },
    // NT_ARM_TLS: TPIDR_EL0, TPIDR2_EL0.
    SetKind { number: 0x401, always: true, tells_len: false },
    // NT_ARM_SVE: longer vectors, predicates.
    SetKind { number: 0x405, always: false, tells_len: true },
    // NT_ARM_ZA: matrices.
    SetKind { number: 0x40c, always: false, tells_len: true },
    // NT_ARM_FPMR: mode of 8-bit floating point.
    SetKind { number: 0x40e, always: false, tells_len: false },
    // NT_ARM_POE: POR_EL0, permissions by key.
    SetKind { number: 0x40f, always: false, tells_len: false },
];

// Exception classes: Arm ARM D24.2.40, ESR_EL1.EC.
const UNKNOWN: u8 = 0x00;
const SYSTEM_REGISTER: u8 = 0x18;
const INSTRUCTION_ABORT: u8 = 0x20;
const PROGRAM_COUNTER: u8 = 0x22;
const DATA_ABORT: u8 = 0x24;
const STACK_POINTER: u8 = 0x26;
const FLOATING_POINT: u8 = 0x2c;

/// Insists on a kernel whose pages are no larger than the guest's, and which gives a process
/// the addresses that a child needs.
pub(super) fn check_processor() -> Result<(), HypervisorError> {
    if page_size() as u64 > GRANULE {
        return Err(HypervisorError::Unsupported(
            "its kernel has pages of 64 KiB, and the process backend needs 4 or 16 KiB".into(),
        ));
    }
    if address_end() <= GATE_BASE + GATE_SIZE {
        return Err(HypervisorError::Unsupported(
            "its kernel gives a process fewer than the 47 bits of address that the process \
             backend needs (CONFIG_ARM64_VA_BITS)"
                .into(),
        ));
    }
    Ok(())
}

/// One past the highest address at which there is anything in a process that has not asked for
/// more. It is a power of two; what the kernel tells a program lies right below, on its first
/// stack.
pub(super) fn address_end() -> u64 {
    // SAFETY: a word that every process is given.
    let on_stack = unsafe { libc::getauxval(libc::AT_RANDOM) };
    on_stack.next_power_of_two()
}

/// What a child keeps from its guest, for people.
pub(super) fn describe_kept(kept: Report) -> &'static str {
    match kept & CLOCK_FAULTS != 0 {
        true => "the counter of time",
        false => "nothing of the processor (the counter of time can be denied from Linux 6.12 on)",
    }
}

/// The exception behind a signal that the kernel sent for an instruction.
pub(super) fn exception(signal: c_int, raw: &RawStop) -> Option<Stop> {
    let fault = |class, address| raw.fault(class, address);
    let address = Some(raw.address);
    Some(match (signal, raw.code) {
        // The kernel does not say which of the two. No instruction that could be fetched
        // accesses itself and may not.
        (libc::SIGSEGV, SEGV_MAPERR | SEGV_ACCERR) if raw.address == raw.instruction => {
            Stop::Fault(fault(INSTRUCTION_ABORT, address))
        }
        (libc::SIGSEGV, SEGV_MAPERR | SEGV_ACCERR) => Stop::Fault(fault(DATA_ABORT, address)),
        (libc::SIGSEGV, SI_KERNEL) => Stop::Exception(fault(SYSTEM_REGISTER, None)),
        (libc::SIGSEGV, _) => Stop::Exception(fault(DATA_ABORT, None)),
        (libc::SIGILL, _) => Stop::Fault(fault(UNKNOWN, None)),
        (libc::SIGFPE, _) => Stop::Exception(fault(FLOATING_POINT, None)),
        (libc::SIGBUS, BUS_ADRALN) if !raw.instruction.is_multiple_of(4) => {
            Stop::Exception(fault(PROGRAM_COUNTER, address))
        }
        (libc::SIGBUS, BUS_ADRALN) if !raw.stack.is_multiple_of(16) => {
            Stop::Exception(fault(STACK_POINTER, None))
        }
        (libc::SIGBUS, BUS_ADRALN) => Stop::Fault(fault(DATA_ABORT, address)),
        _ => return None,
    })
}

/// The set of general registers, `NT_PRSTATUS` of `linux/elf.h`.
const GENERAL: u32 = 1;

/// The general registers.
#[derive(Clone, Copy)]
pub(super) struct Registers(libc::user_regs_struct);

impl Default for Registers {
    fn default() -> Self {
        // SAFETY: plain words.
        Self(unsafe { std::mem::zeroed() })
    }
}

impl Registers {
    /// All of them zero but the program counter: nothing of the guest's is taken over. What the
    /// kernel insists on in PSTATE it sets by itself.
    fn clean(instruction: u64) -> Self {
        let mut registers = Self::default();
        registers.0.pc = instruction;
        registers
    }

    /// A guest's at its first instruction.
    pub(super) fn for_boot(state: &BootState) -> Self {
        let mut registers = Self::clean(state.entry.0);
        registers.0.sp = state.stack.0;
        registers.0.regs[0] = TRAP_BY_BREAKPOINT;
        registers
    }

    /// Those with which the gate makes a call, and then another.
    pub(super) fn for_call(first: MappingCall, second: Option<MappingCall>) -> Self {
        let mut registers = Self::clean(GATE_BASE);
        let (number, arguments) = first.words();
        registers.0.regs[8] = number;
        registers.0.regs[..5].copy_from_slice(&arguments);
        if let Some(second) = second {
            let (number, arguments) = second.words();
            registers.0.regs[9] = number;
            registers.0.regs[10..13].copy_from_slice(&arguments[..3]);
        }
        registers
    }

    /// Changes them as the stub would have it: see `fault` in the guest's `stub.S`.
    pub(super) fn deliver(&mut self, fault: &Fault, handler: &FaultHandler) {
        let r = &mut self.0;
        r.regs[0] = fault.vector.into();
        r.regs[1] = r.pc;
        r.regs[2] = r.regs[29];
        r.regs[3] = fault.address.unwrap_or(0);
        r.regs[4] = r.sp;
        r.pc = handler.entry.0;
        r.sp = handler.stack.0;
        r.pstate = 0;
    }

    /// What a call, or the child's report, left.
    pub(super) fn result(&self) -> u64 {
        self.0.regs[0]
    }

    /// Program counter, stack pointer, and number of the system call if there is one.
    pub(super) fn at_stop(&self) -> (u64, u64, u64) {
        (self.0.pc, self.0.sp, self.0.regs[8])
    }

    /// Goes on `bytes` further.
    pub(super) fn skip(&mut self, bytes: u64) {
        self.0.pc = self.0.pc.wrapping_add(bytes);
    }

    /// Those of a child.
    pub(super) fn read(pid: libc::pid_t) -> io::Result<Self> {
        let mut registers = Self::default();
        let len = size_of_val(&registers.0);
        // SAFETY: words without padding, all of whose values are valid.
        let bytes = unsafe { std::slice::from_raw_parts_mut((&raw mut registers.0).cast(), len) };
        ptrace::registers(pid, GENERAL, bytes)?;
        Ok(registers)
    }

    /// Gives them to a child.
    pub(super) fn write(&self, pid: libc::pid_t) -> io::Result<()> {
        let len = size_of_val(&self.0);
        // SAFETY: words without padding.
        let bytes = unsafe { std::slice::from_raw_parts((&raw const self.0).cast(), len) };
        ptrace::set_registers(pid, GENERAL, bytes)
    }
}

/// What compiled code may use: all that the processor and the system have, since the child is
/// a process like any other.
pub(super) fn code_features() -> CpuFeatures {
    [
        (is_aarch64_feature_detected!("lse"), CpuFeatures::LSE),
        (is_aarch64_feature_detected!("dotprod"), CpuFeatures::DOTPROD),
        (is_aarch64_feature_detected!("i8mm"), CpuFeatures::I8MM),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .fold(CpuFeatures::NONE, |features, (_, feature)| features.union(feature))
}

#[cfg(test)]
mod tests {
    use super::super::stop;
    use super::*;

    #[test]
    fn signals_that_an_instruction_caused_are_its_exceptions() {
        let class = |signal: c_int, code, instruction, stack| {
            let status = signal << 8 | 0x7f;
            let address = 0x1234;
            let raw = RawStop { status, code, address, instruction, stack, ..RawStop::default() };
            match stop::decode(raw) {
                Stop::Fault(fault) => (fault.vector, true),
                Stop::Exception(fault) => (fault.vector, false),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(class(libc::SIGSEGV, SEGV_MAPERR, 0x1000, 0), (DATA_ABORT, true));
        assert_eq!(class(libc::SIGSEGV, SEGV_ACCERR, 0x1234, 0), (INSTRUCTION_ABORT, true));
        assert_eq!(class(libc::SIGSEGV, SI_KERNEL, 0x1000, 0), (SYSTEM_REGISTER, false));
        assert_eq!(class(libc::SIGSEGV, 9, 0x1000, 0), (DATA_ABORT, false), "a memory tag");
        assert_eq!(class(libc::SIGILL, 1, 0x1000, 0), (UNKNOWN, true));
        assert_eq!(class(libc::SIGFPE, 3, 0x1000, 0), (FLOATING_POINT, false));
        assert_eq!(class(libc::SIGBUS, BUS_ADRALN, 0x1002, 0), (PROGRAM_COUNTER, false));
        assert_eq!(class(libc::SIGBUS, BUS_ADRALN, 0x1000, 8), (STACK_POINTER, false));
        assert_eq!(class(libc::SIGBUS, BUS_ADRALN, 0x1000, 16), (DATA_ABORT, true));
    }
}

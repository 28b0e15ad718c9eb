//! Decoding a stop of the child.
//!
//! [`decode`] is a pure function of the stop's raw words, so that it can be tested and fuzzed
//! without a child. Which words mean what: `ptrace(2)`, `sigaction(2)` under `SA_SIGINFO`.

use super::super::Fault;
use std::ffi::c_int;

/// What a stop's system call is told from a breakpoint by (`PTRACE_O_TRACESYSGOOD`).
const SYSTEM_CALL: c_int = libc::SIGTRAP | 0x80;
/// `si_code` of a signal by which the kernel reports an exception without an address.
const SI_KERNEL: c_int = 0x80;

// `si_code` of SIGSEGV: `asm-generic/siginfo.h`.
const SEGV_MAPERR: c_int = 1;
const SEGV_ACCERR: c_int = 2;
const SEGV_PKUERR: c_int = 4;
/// An integer division.
const FPE_INTDIV: c_int = 1;
/// An access that should have been aligned.
const BUS_ADRALN: c_int = 1;

// Vectors: Intel SDM volume 3A, table 7-1.
const DIVISION: u8 = 0;
const INSTRUCTION: u8 = 6;
const PROTECTION: u8 = 13;
const PAGE: u8 = 14;
const ALIGNMENT: u8 = 17;
const FLOATING_POINT: u8 = 19;

/// The words that [`decode`] looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawStop {
    /// Of `waitpid`.
    pub(super) status: c_int,
    /// The signal's `si_code`.
    pub(super) code: c_int,
    /// Its `si_addr`.
    pub(super) address: u64,
    /// Address of the next instruction.
    pub(super) instruction: u64,
    /// Stack pointer.
    pub(super) stack: u64,
    /// Number of a system call.
    pub(super) call: u64,
}

/// Why a child stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A breakpoint instruction; or a single step, if the guest traces itself.
    Breakpoint,
    /// A signal that means nothing to the guest: a kick, or somebody's outside.
    Disturbed,
    /// An exception that the guest may take.
    Fault(Fault),
    /// An exception that ends the VM.
    Exception(Fault),
    /// A system call, which was not made.
    SystemCall { number: u64 },
    /// The process is over, or its memory cannot be had: the signal's number.
    Failed { code: u64 },
    /// A stop that there is no reason for.
    Unexpected { reason: u32 },
}

/// Whether the status alone tells that this is a breakpoint.
pub(super) fn is_breakpoint(status: c_int) -> bool {
    status == libc::SIGTRAP << 8 | 0x7f
}

/// What the stop means.
pub(super) fn decode(raw: RawStop) -> Stop {
    let RawStop { status, code, address, instruction, stack, call } = raw;
    if libc::WIFSIGNALED(status) {
        return Stop::Failed { code: libc::WTERMSIG(status).unsigned_abs().into() };
    }
    if !libc::WIFSTOPPED(status) {
        // It has no way to exit.
        return Stop::Unexpected { reason: status.cast_unsigned() };
    }
    if is_breakpoint(status) {
        return Stop::Breakpoint;
    }
    let fault = |vector, address| Fault { vector, instruction, stack, address };
    match libc::WSTOPSIG(status) {
        SYSTEM_CALL => Stop::SystemCall { number: call },
        // Bits above the signal: an event that was not asked for.
        libc::SIGTRAP => Stop::Unexpected { reason: status.cast_unsigned() },
        // Sent by a process, and not caused by an instruction.
        _ if code <= 0 => Stop::Disturbed,
        libc::SIGSEGV => match code {
            SEGV_MAPERR | SEGV_ACCERR | SEGV_PKUERR => Stop::Fault(fault(PAGE, Some(address))),
            _ => Stop::Exception(fault(PROTECTION, None)),
        },
        libc::SIGILL => Stop::Fault(fault(INSTRUCTION, None)),
        libc::SIGFPE if code == FPE_INTDIV => Stop::Fault(fault(DIVISION, None)),
        libc::SIGFPE => Stop::Exception(fault(FLOATING_POINT, None)),
        libc::SIGBUS => match code {
            BUS_ADRALN => Stop::Exception(fault(ALIGNMENT, None)),
            // A page of guest memory that the system does not have.
            _ => Stop::Failed { code: libc::SIGBUS.unsigned_abs().into() },
        },
        _ if code == SI_KERNEL => Stop::Disturbed,
        _ => Stop::Unexpected { reason: status.cast_unsigned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stopped(signal: c_int, code: c_int) -> RawStop {
        RawStop {
            status: signal << 8 | 0x7f,
            code,
            address: 0x1234,
            call: 59,
            ..RawStop::default()
        }
    }

    #[test]
    fn signals_that_an_instruction_caused_are_its_exceptions() {
        let vector = |signal, code| match decode(stopped(signal, code)) {
            Stop::Fault(fault) => (fault.vector, true),
            Stop::Exception(fault) => (fault.vector, false),
            other => panic!("{other:?}"),
        };
        assert_eq!(vector(libc::SIGFPE, FPE_INTDIV), (DIVISION, true));
        assert_eq!(vector(libc::SIGFPE, 3), (FLOATING_POINT, false));
        assert_eq!(vector(libc::SIGILL, 2), (INSTRUCTION, true));
        assert_eq!(vector(libc::SIGSEGV, SEGV_MAPERR), (PAGE, true));
        assert_eq!(vector(libc::SIGSEGV, SEGV_ACCERR), (PAGE, true));
        assert_eq!(vector(libc::SIGSEGV, SI_KERNEL), (PROTECTION, false));
        assert_eq!(vector(libc::SIGBUS, BUS_ADRALN), (ALIGNMENT, false));
    }

    #[test]
    fn signals_that_somebody_sent_are_nobodys() {
        for signal in [libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGBUS, libc::SIGUSR1] {
            // SI_USER, SI_TKILL
            for code in [0, -6] {
                assert_eq!(decode(stopped(signal, code)), Stop::Disturbed);
            }
        }
        assert_eq!(decode(stopped(libc::SIGSTOP, 0)), Stop::Disturbed);
    }

    #[test]
    fn system_calls_and_ends_have_their_numbers() {
        assert_eq!(decode(stopped(SYSTEM_CALL, 0)), Stop::SystemCall { number: 59 });
        let killed = RawStop { status: libc::SIGSYS, ..RawStop::default() };
        assert_eq!(decode(killed), Stop::Failed { code: libc::SIGSYS.unsigned_abs().into() });
        assert!(matches!(decode(stopped(libc::SIGBUS, 2)), Stop::Failed { .. }));
    }

    proptest! {
        #[test]
        fn any_words_decode(status: c_int, code: c_int, address: u64, call: u64) {
            let stop = decode(RawStop { status, code, address, call, ..RawStop::default() });
            prop_assert_eq!(stop == Stop::Breakpoint, is_breakpoint(status));
        }
    }
}

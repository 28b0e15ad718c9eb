//! Decoding a stop of the child.
//!
//! [`decode`] is a pure function of the stop's raw words, so that it can be tested and fuzzed
//! without a child. Which words mean what: `ptrace(2)`, `sigaction(2)` under `SA_SIGINFO`.

use super::arch;
use crate::arch::Fault;
use std::ffi::c_int;
use std::fmt;
use wrt_platform::signal::Named;

/// What a stop's system call is told from a breakpoint by (`PTRACE_O_TRACESYSGOOD`).
const SYSTEM_CALL: c_int = libc::SIGTRAP | 0x80;
/// `si_code` of a signal by which the kernel reports an exception without an address.
pub(super) const SI_KERNEL: c_int = 0x80;

// `si_code` of SIGSEGV: `asm-generic/siginfo.h`.
pub(super) const SEGV_MAPERR: c_int = 1;
pub(super) const SEGV_ACCERR: c_int = 2;
/// An access that should have been aligned, of SIGBUS.
pub(super) const BUS_ADRALN: c_int = 1;

/// The words that [`decode`] looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawStop {
    /// Of `waitpid`.
    pub(crate) status: c_int,
    /// The signal's `si_code`.
    pub(crate) code: c_int,
    /// Its `si_addr`.
    pub(crate) address: u64,
    /// Address of the next instruction.
    pub(crate) instruction: u64,
    /// Stack pointer.
    pub(crate) stack: u64,
    /// Number of a system call.
    pub(crate) call: u64,
}

impl RawStop {
    /// The exception of that number.
    pub(super) fn fault(&self, vector: u8, address: Option<u64>) -> Fault {
        Fault { vector, instruction: self.instruction, stack: self.stack, address }
    }
}

/// Why a child stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
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
    /// A signal ended the process.
    Killed { signal: u32 },
    /// Memory of the guest cannot be had: the signal's number.
    Failed { code: u64 },
    /// A stop that there is no reason for.
    Unexpected { reason: u32 },
}

/// What became of the child: a clause without its subject.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Breakpoint => write!(f, "stopped at a breakpoint"),
            Self::Disturbed => write!(f, "was stopped by a signal"),
            Self::Fault(fault) | Self::Exception(fault) => write!(f, "took {fault}"),
            Self::SystemCall { number } => write!(f, "tried to make system call {number}"),
            Self::Killed { signal } => write!(f, "was ended by {}", Named(signal)),
            Self::Failed { code } => {
                write!(f, "touched memory that the system does not have (signal {code})")
            }
            Self::Unexpected { reason } => write!(f, "stopped with status {reason:#x}"),
        }
    }
}

/// Whether the status alone tells that this is a breakpoint.
pub(crate) fn is_breakpoint(status: c_int) -> bool {
    status == libc::SIGTRAP << 8 | 0x7f
}

/// What the stop means.
pub(crate) fn decode(raw: RawStop) -> Stop {
    let RawStop { status, code, call, .. } = raw;
    if libc::WIFSIGNALED(status) {
        return Stop::Killed { signal: libc::WTERMSIG(status).unsigned_abs() };
    }
    if !libc::WIFSTOPPED(status) {
        // It has no way to exit.
        return Stop::Unexpected { reason: status.cast_unsigned() };
    }
    if is_breakpoint(status) {
        return Stop::Breakpoint;
    }
    match libc::WSTOPSIG(status) {
        SYSTEM_CALL => Stop::SystemCall { number: call },
        // Bits above the signal: an event that was not asked for.
        libc::SIGTRAP => Stop::Unexpected { reason: status.cast_unsigned() },
        // Sent by a process, and not caused by an instruction.
        _ if code <= 0 => Stop::Disturbed,
        signal => arch::exception(signal, &raw).unwrap_or(match (signal, code) {
            // A page of guest memory that the system does not have.
            (libc::SIGBUS, _) => Stop::Failed { code: signal.unsigned_abs().into() },
            (_, SI_KERNEL) => Stop::Disturbed,
            _ => Stop::Unexpected { reason: status.cast_unsigned() },
        }),
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
        assert_eq!(decode(killed), Stop::Killed { signal: libc::SIGSYS.unsigned_abs() });
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

//! The decoders of exits, for fuzzers.
//!
//! Thin functions that lead to internals: nothing is decided here. It is no part of the
//! interface; `tests/fuzz` is for whom it is.

use crate::arch::Fault;
use crate::arm::{self, Decoded, Identity, Syndrome};
use crate::exit::Exit;
use wrt_abi::cpu::CpuFeatures;

/// Decodes an exit of KVM on x86-64.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn kvm_x86_64_exit(reason: u32, data: [u8; 24]) -> Exit {
    use crate::kvm::{raw::RawExit, x86_64::exit::decode};
    decode(RawExit { reason, data })
}

/// Decodes an exit of KVM on arm64; `None` is the stub's report of a fault.
#[cfg(target_os = "linux")]
pub fn kvm_aarch64_exit(reason: u32, data: [u8; 24]) -> Option<Exit> {
    use crate::kvm::{aarch64_exit::decode, raw::RawExit};
    exit(decode(RawExit { reason, data }))
}

/// Guest-physical address of the doorbell of KVM's Arm guests.
#[cfg(target_os = "linux")]
pub const KVM_DOORBELL: u64 = crate::kvm::aarch64_exit::DOORBELL_GPA.0;

/// Decodes an exit of Apple's hypervisor; `None` is the stub's report of a fault.
pub fn arm_exit(esr: u64, gpa: u64) -> Option<Exit> {
    exit(arm::decode(Syndrome { esr, gpa }))
}

/// Decodes an Arm stub's report of a fault.
pub fn arm_fault(report: [u64; 4]) -> Fault {
    arm::fault(report)
}

/// What an Arm processor's identity allows compiled code, unless it is refused.
pub fn arm_identity([mmfr0, mmfr1, isar0, isar1]: [u64; 4]) -> Option<CpuFeatures> {
    let identity = Identity {
        memory_model_0: mmfr0,
        memory_model_1: mmfr1,
        instructions_0: isar0,
        instructions_1: isar1,
    };
    identity.check().ok().map(|()| identity.code_features())
}

fn exit(decoded: Decoded) -> Option<Exit> {
    match decoded {
        Decoded::Exit(exit) => Some(exit),
        Decoded::Fault => None,
    }
}

/// What becomes of a stopped child process.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It is resumed.
    Resumes,
    /// The guest takes an exception, if it wants to.
    Takes(Fault),
    /// The vCPU exits.
    Exits(Exit),
}

/// Decodes a stop of the `process` backend's child: `waitpid`'s status, the signal's code and
/// address, and the registers for the next instruction, the stack and a system call's number.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn process_stop(status: i32, code: i32, words: [u64; 4]) -> Stopped {
    use crate::process::stop::{RawStop, Stop, decode};
    let [address, instruction, stack, call] = words;
    match decode(RawStop { status, code, address, instruction, stack, call }) {
        Stop::Breakpoint => Stopped::Exits(Exit::Mailbox),
        Stop::Disturbed => Stopped::Resumes,
        Stop::Fault(fault) => Stopped::Takes(fault),
        Stop::Exception(fault) => Stopped::Exits(Exit::Fault(fault)),
        Stop::SystemCall { number } => Stopped::Exits(Exit::SystemCall { number }),
        Stop::Killed { signal } => Stopped::Exits(Exit::Killed { signal }),
        Stop::Failed { code } => Stopped::Exits(Exit::Failed { code }),
        Stop::Unexpected { reason } => Stopped::Exits(Exit::Unexpected { reason }),
    }
}

//! Exit decoders: any words become an exit, and nothing but the one instruction for it becomes a
//! mailbox.

use arbitrary::Arbitrary;
use wrt_abi::layout::arm::{HVC_FAULT, HVC_MAILBOX};
use wrt_vm::fuzzing;
use wrt_vm::hypervisor::{Exit, Gpa};

/// Words of an exit, some of them near to what means something.
#[derive(Arbitrary, Debug)]
enum Words {
    Kvm { reason: Reason, data: [u8; 24] },
    KvmAccess { at: Nearby, len: u8, write: bool },
    KvmPort { direction: u8, size: u8, port: u16, count: u32 },
    Arm { esr: u64, gpa: u64 },
    ArmCall { class: u8, number: u16, rest: u8 },
    ArmReport([u64; 4]),
    ArmIdentity([u64; 4]),
    Stop { status: i32, code: i32, words: [u64; 4] },
    StopBySignal { signal: u8, event: u8, code: i8, words: [u64; 4] },
}

#[derive(Arbitrary, Debug)]
enum Reason {
    Known(u8),
    Raw(u32),
}

#[derive(Arbitrary, Debug)]
enum Nearby {
    Doorbell(i8),
    Raw(u64),
}

/// Runs one input.
pub fn fuzz(data: &[u8]) {
    let Some(words) = crate::input(data) else { return };
    match words {
        Words::Kvm { reason, data } => kvm(reason.number(), data),
        Words::KvmAccess { at, len, write } => {
            let mut data = [0; 24];
            data[..8].copy_from_slice(&at.address().to_le_bytes());
            (data[16], data[20]) = (len, write.into());
            kvm(KVM_EXIT_MMIO, data);
        }
        Words::KvmPort { direction, size, port, count } => {
            let mut data = [0; 24];
            (data[0], data[1]) = (direction, size);
            data[2..4].copy_from_slice(&port.to_le_bytes());
            data[4..8].copy_from_slice(&count.to_le_bytes());
            kvm(KVM_EXIT_IO, data);
        }
        Words::Arm { esr, gpa } => arm(esr, gpa),
        Words::ArmCall { class, number, rest } => {
            arm(u64::from(class) << 26 | u64::from(rest) << 16 | u64::from(number), 0);
        }
        Words::ArmReport(report) => {
            let fault = fuzzing::arm_fault(report);
            assert_eq!((fault.instruction, fault.stack), (report[2], report[3]));
            assert!(fault.vector < 64 && fault.address.is_none_or(|address| address == report[1]));
        }
        Words::ArmIdentity(words) => {
            let arm = wrt_abi::cpu::Arch::Aarch64.features();
            assert!(fuzzing::arm_identity(words).is_none_or(|features| arm.contains(features)));
        }
        Words::Stop { status, code, words } => stop(status, code, words),
        Words::StopBySignal { signal, event, code, words } => {
            let status = i32::from(event) << 16 | i32::from(signal) << 8 | 0x7f;
            stop(status, code.into(), words);
        }
    }
}

// linux/kvm.h
const KVM_EXIT_IO: u32 = 2;
const KVM_EXIT_MMIO: u32 = 6;
const KVM_EXIT_INTR: u32 = 10;

impl Reason {
    fn number(&self) -> u32 {
        match *self {
            Self::Known(number) => u32::from(number % 48),
            Self::Raw(number) => number,
        }
    }
}

impl Nearby {
    fn address(&self) -> u64 {
        match *self {
            #[cfg(target_os = "linux")]
            Self::Doorbell(offset) => fuzzing::KVM_DOORBELL.wrapping_add_signed(i64::from(offset)),
            #[cfg(not(target_os = "linux"))]
            Self::Doorbell(offset) => offset.unsigned_abs().into(),
            Self::Raw(address) => address,
        }
    }
}

#[cfg(target_os = "linux")]
fn kvm(reason: u32, data: [u8; 24]) {
    use wrt_abi::layout::arm::{RING_FAULT, RING_MAILBOX};
    let word = |at: usize| u64::from_le_bytes(data[at..at + 8].try_into().expect("eight bytes"));
    let (address, is_word, is_write) = (word(0), data[16..20] == [4, 0, 0, 0], data[20] != 0);
    let rings = |offset| {
        reason == KVM_EXIT_MMIO
            && is_word
            && is_write
            && address == fuzzing::KVM_DOORBELL.wrapping_add(offset)
    };
    let exit = fuzzing::kvm_aarch64_exit(reason, data);
    assert_eq!(exit == Some(Exit::Mailbox), rings(RING_MAILBOX));
    assert_eq!(exit.is_none(), rings(RING_FAULT));
    assert_eq!(exit == Some(Exit::Kicked), reason == KVM_EXIT_INTR);
    if let Some(Exit::Memory { gpa, write }) = exit {
        assert_eq!((reason, gpa, write), (KVM_EXIT_MMIO, Gpa(address), is_write));
    }
    #[cfg(target_arch = "x86_64")]
    {
        use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};
        let out = |port: u16| {
            let [low, high] = port.to_le_bytes();
            reason == KVM_EXIT_IO && data[..4] == [1, 1, low, high]
        };
        let exit = fuzzing::kvm_x86_64_exit(reason, data);
        assert_eq!(exit == Exit::Mailbox, out(X86_MAILBOX_PORT));
        assert_eq!(exit == Exit::Exception, out(X86_FAULT_PORT));
        assert_eq!(exit == Exit::Kicked, reason == KVM_EXIT_INTR);
        assert_eq!(matches!(exit, Exit::Memory { .. }), reason == KVM_EXIT_MMIO);
    }
}

#[cfg(not(target_os = "linux"))]
fn kvm(_reason: u32, _data: [u8; 24]) {}

fn arm(esr: u64, gpa: u64) {
    let exit = fuzzing::arm_exit(esr, gpa);
    let hvc = |number: u16| esr >> 26 & 0x3f == 0x16 && esr & 0x01ff_ffff == u64::from(number);
    assert_eq!(exit == Some(Exit::Mailbox), hvc(HVC_MAILBOX));
    assert_eq!(exit.is_none(), hvc(HVC_FAULT));
    assert_ne!(exit, Some(Exit::Kicked), "a guest kicks nobody");
    if let Some(Exit::Memory { gpa: found, .. }) = exit {
        assert_eq!(found, Gpa(gpa));
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn stop(status: i32, code: i32, words: [u64; 4]) {
    use fuzzing::Stopped;
    let stopped = fuzzing::process_stop(status, code, words);
    let signal = (status & 0xff == 0x7f).then_some(status >> 8);
    let breakpoint = status == libc::SIGTRAP << 8 | 0x7f;
    assert_eq!(stopped == Stopped::Exits(Exit::Mailbox), breakpoint);
    match stopped {
        Stopped::Exits(Exit::SystemCall { number }) => {
            assert_eq!(signal.map(|signal| signal & 0xff), Some(libc::SIGTRAP | 0x80));
            assert_eq!(number, words[3]);
        }
        // Only what an instruction did is the guest's to take or to end by.
        Stopped::Takes(fault) | Stopped::Exits(Exit::Fault(fault)) => {
            assert!(code > 0 && signal.is_some(), "somebody sent this signal");
            assert_eq!((fault.instruction, fault.stack), (words[1], words[2]));
            assert!(fault.vector < 32);
        }
        Stopped::Resumes => assert!(signal.is_some(), "only a stopped child can be resumed"),
        Stopped::Exits(_) => {}
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn stop(_status: i32, _code: i32, _words: [u64; 4]) {}

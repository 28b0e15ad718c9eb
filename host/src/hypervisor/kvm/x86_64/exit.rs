//! Decoding `struct kvm_run`.
//!
//! [`decode`] is a pure function of the exit's raw words, so that it can be tested and
//! fuzzed without a VM.

use crate::hypervisor::{Exit, Gpa};
use kvm_bindings::{
    KVM_EXIT_FAIL_ENTRY, KVM_EXIT_HLT, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_IO,
    KVM_EXIT_IO_OUT, KVM_EXIT_MMIO, KVM_EXIT_SHUTDOWN, kvm_run,
};
use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};

/// The words of an exit that [`decode`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawExit {
    /// `exit_reason`.
    pub(crate) reason: u32,
    /// The first bytes of the reason's own structure.
    pub(crate) data: [u8; 24],
}

/// Copies the words out of the shared page.
pub(crate) fn raw(run: &kvm_run) -> RawExit {
    // SAFETY: the union is at least 256 bytes of plain data, all of them initialised by the
    // kernel; any bit pattern is a valid array of bytes.
    let data = unsafe { run.__bindgen_anon_1.padding };
    let mut head = [0; 24];
    for (to, from) in head.iter_mut().zip(data) {
        *to = from.cast_unsigned();
    }
    RawExit { reason: run.exit_reason, data: head }
}

/// What the exit means.
pub(crate) fn decode(raw: RawExit) -> Exit {
    let byte = |at: usize| raw.data[at];
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&raw.data[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    match raw.reason {
        // struct { __u8 direction; __u8 size; __u16 port; __u32 count; __u64 data_offset; }
        KVM_EXIT_IO => {
            let write = u32::from(byte(0)) == KVM_EXIT_IO_OUT;
            let (width, port) = (byte(1), u16::from_le_bytes([byte(2), byte(3)]));
            match port {
                X86_MAILBOX_PORT if write && width == 1 => Exit::Mailbox,
                X86_FAULT_PORT if write && width == 1 => Exit::Exception,
                _ => Exit::Port { port, width, write },
            }
        }
        // struct { __u64 phys_addr; __u8 data[8]; __u32 len; __u8 is_write; }
        KVM_EXIT_MMIO => Exit::Memory { gpa: Gpa(word(0)), write: byte(20) != 0 },
        KVM_EXIT_HLT => Exit::Halt,
        KVM_EXIT_SHUTDOWN => Exit::TripleFault,
        // struct { __u64 hardware_entry_failure_reason; __u32 cpu; }
        KVM_EXIT_FAIL_ENTRY => Exit::Failed { code: word(0) },
        // struct { __u32 suberror; ... }
        KVM_EXIT_INTERNAL_ERROR => Exit::Failed { code: word(0) & 0xffff_ffff },
        KVM_EXIT_INTR => Exit::Kicked,
        reason => Exit::Unexpected { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn io(direction: u8, size: u8, port: u16) -> RawExit {
        let mut data = [0; 24];
        data[0] = direction;
        data[1] = size;
        data[2..4].copy_from_slice(&port.to_le_bytes());
        RawExit { reason: KVM_EXIT_IO, data }
    }

    #[test]
    fn only_a_byte_written_to_the_port_is_the_mailbox() {
        assert_eq!(decode(io(1, 1, X86_MAILBOX_PORT)), Exit::Mailbox);
        assert_ne!(decode(io(0, 1, X86_MAILBOX_PORT)), Exit::Mailbox);
        assert_ne!(decode(io(1, 4, X86_MAILBOX_PORT)), Exit::Mailbox);
        assert_ne!(decode(io(1, 1, X86_MAILBOX_PORT + 1)), Exit::Mailbox);
        assert_eq!(decode(io(1, 1, X86_FAULT_PORT)), Exit::Exception);
    }

    #[test]
    fn an_mmio_exit_names_its_address() {
        let mut data = [0; 24];
        data[..8].copy_from_slice(&0xdead_b000u64.to_le_bytes());
        data[20] = 1;
        let exit = decode(RawExit { reason: KVM_EXIT_MMIO, data });
        assert_eq!(exit, Exit::Memory { gpa: Gpa(0xdead_b000), write: true });
    }

    proptest! {
        #[test]
        fn any_words_decode(reason: u32, data: [u8; 24]) {
            let exit = decode(RawExit { reason, data });
            prop_assert_eq!(exit == Exit::Mailbox, reason == KVM_EXIT_IO
                && data[..4] == [1, 1, X86_MAILBOX_PORT.to_le_bytes()[0], X86_MAILBOX_PORT.to_le_bytes()[1]]);
        }
    }
}

//! Decoding `struct kvm_run` on x86-64.
//!
//! [`decode`] is a pure function of the exit's raw words, so that it can be tested and
//! fuzzed without a VM.

use super::super::raw::RawExit;
use crate::exit::Exit;
use kvm_bindings::{KVM_EXIT_HLT, KVM_EXIT_IO, KVM_EXIT_IO_OUT, KVM_EXIT_SHUTDOWN};
use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};

/// What the exit means.
pub(crate) fn decode(raw: RawExit) -> Exit {
    let byte = |at: usize| raw.data[at];
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
        KVM_EXIT_HLT => Exit::Halt,
        KVM_EXIT_SHUTDOWN => Exit::TripleFault,
        _ => raw.decode(),
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

    proptest! {
        #[test]
        fn any_words_decode(reason: u32, data: [u8; 24]) {
            let exit = decode(RawExit { reason, data });
            prop_assert_eq!(exit == Exit::Mailbox, reason == KVM_EXIT_IO
                && data[..4] == [1, 1, X86_MAILBOX_PORT.to_le_bytes()[0], X86_MAILBOX_PORT.to_le_bytes()[1]]);
        }
    }
}

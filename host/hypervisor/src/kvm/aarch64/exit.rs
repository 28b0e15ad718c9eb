//! Decoding `struct kvm_run` on arm64.
//!
//! [`decode`] is a pure function of the exit's raw words, so that it can be tested and
//! fuzzed without a VM.

use crate::arch::Gpa;
use crate::arm::Decoded;
use crate::exit::Exit;
use crate::kvm::raw::{Mmio, RawExit};
use wrt_abi::layout::arm::{RING_FAULT, RING_MAILBOX};

/// A page at which no guest of `wrt-vm` has memory: see its `machine::memory`.
pub(crate) const DOORBELL_GPA: Gpa = Gpa(0x0c00_0000);

/// What the exit means.
pub(crate) fn decode(raw: RawExit) -> Decoded {
    if let Some(Mmio { gpa, len: 4, write: true }) = raw.mmio() {
        match gpa.0.wrapping_sub(DOORBELL_GPA.0) {
            RING_MAILBOX => return Decoded::Exit(Exit::Mailbox),
            RING_FAULT => return Decoded::Fault,
            _ => {}
        }
    }
    Decoded::Exit(raw.decode())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kvm::raw::mmio_exit;

    #[test]
    fn only_a_word_written_to_the_doorbell_rings() {
        let bell = DOORBELL_GPA.0;
        let ring = |gpa, len, write| decode(mmio_exit(gpa, len, write));
        let memory = |gpa, write| Decoded::Exit(Exit::Memory { gpa: Gpa(gpa), write });
        assert_eq!(ring(bell, 4, true), Decoded::Exit(Exit::Mailbox));
        assert_eq!(ring(bell + RING_FAULT, 4, true), Decoded::Fault);
        assert_eq!(ring(bell, 4, false), memory(bell, false));
        assert_eq!(ring(bell, 8, true), memory(bell, true));
        assert_eq!(ring(bell + 4, 4, true), memory(bell + 4, true));
    }
}

//! The raw words of an exit, as `struct kvm_run` has them.

use crate::arch::Gpa;
use crate::exit::Exit;
use kvm_bindings::{
    KVM_EXIT_FAIL_ENTRY, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_MMIO, kvm_run,
};

/// The words of an exit that decoders look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RawExit {
    /// `exit_reason`.
    pub(crate) reason: u32,
    /// The first bytes of the reason's own structure.
    pub(crate) data: [u8; 24],
}

/// Copies the words out of the shared page.
pub(super) fn raw(run: &kvm_run) -> RawExit {
    // SAFETY: the union is at least 256 bytes of plain data, all of them initialised by the
    // kernel; any bit pattern is a valid array of bytes.
    let data = unsafe { run.__bindgen_anon_1.padding };
    let mut head = [0; 24];
    for (to, from) in head.iter_mut().zip(data) {
        // A `char`, which has a sign on some processors.
        *to = u8::from_ne_bytes(from.to_ne_bytes());
    }
    RawExit { reason: run.exit_reason, data: head }
}

/// A store or load that no memory serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mmio {
    pub(super) gpa: Gpa,
    pub(super) len: u32,
    pub(super) write: bool,
}

impl RawExit {
    fn word(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.data[at..at + 8]);
        u64::from_le_bytes(bytes)
    }

    /// The access, if the exit is one.
    pub(super) fn mmio(&self) -> Option<Mmio> {
        // struct { __u64 phys_addr; __u8 data[8]; __u32 len; __u8 is_write; }
        (self.reason == KVM_EXIT_MMIO).then(|| Mmio {
            gpa: Gpa(self.word(0)),
            #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
            len: self.word(16) as u32,
            write: self.data[20] != 0,
        })
    }

    /// What the exit means if the processor does not matter.
    pub(super) fn decode(&self) -> Exit {
        match self.reason {
            KVM_EXIT_MMIO => match self.mmio() {
                Some(Mmio { gpa, write, .. }) => Exit::Memory { gpa, write },
                None => Exit::Unexpected { reason: self.reason },
            },
            // struct { __u64 hardware_entry_failure_reason; __u32 cpu; }
            KVM_EXIT_FAIL_ENTRY => Exit::Failed { code: self.word(0) },
            // struct { __u32 suberror; ... }
            KVM_EXIT_INTERNAL_ERROR => Exit::Failed { code: self.word(0) & 0xffff_ffff },
            KVM_EXIT_INTR => Exit::Kicked,
            reason => Exit::Unexpected { reason },
        }
    }
}

/// An access of `len` bytes.
#[cfg(test)]
pub(super) fn mmio_exit(gpa: u64, len: u32, write: bool) -> RawExit {
    let mut data = [0; 24];
    data[..8].copy_from_slice(&gpa.to_le_bytes());
    data[16..20].copy_from_slice(&len.to_le_bytes());
    data[20] = write.into();
    RawExit { reason: KVM_EXIT_MMIO, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mmio_exit_names_its_address() {
        let exit = mmio_exit(0xdead_b000, 8, true);
        let gpa = Gpa(0xdead_b000);
        assert_eq!(exit.mmio(), Some(Mmio { gpa, len: 8, write: true }));
        assert_eq!(exit.decode(), Exit::Memory { gpa, write: true });
    }
}

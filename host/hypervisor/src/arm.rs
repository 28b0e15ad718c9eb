//! What every backend with Arm guests has in common: what an exception's syndrome means, and
//! what processors must have.
//!
//! All of it is pure: the backends have these words from different places.

use crate::arch::Fault;
#[cfg(any(target_os = "macos", feature = "hvsim", feature = "fuzzing"))]
use crate::arch::Gpa;
use crate::error::HypervisorError;
use crate::exit::Exit;
use wrt_abi::cpu::CpuFeatures;
#[cfg(any(target_os = "macos", feature = "hvsim", feature = "fuzzing"))]
use wrt_abi::layout::arm::{HVC_FAULT, HVC_MAILBOX};

/// What Apple's hypervisor tells of an exception that the guest did not take itself. (Linux
/// tells in words of its own.)
#[cfg(any(target_os = "macos", feature = "hvsim", feature = "fuzzing"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Syndrome {
    /// `ESR_EL2`: class and details.
    pub(crate) esr: u64,
    /// Guest-physical address of an abort.
    pub(crate) gpa: u64,
}

/// What an exit with a syndrome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// All that there is to know.
    Exit(Exit),
    /// The stub reports an exception; [`fault`] makes it of the guest's registers.
    Fault,
}

/// Decodes an exit. Arm ARM D24.2.40, ESR_ELx.
#[cfg(any(target_os = "macos", feature = "hvsim", feature = "fuzzing"))]
pub(crate) fn decode(syndrome: Syndrome) -> Decoded {
    let Syndrome { esr, gpa } = syndrome;
    let class = class(esr);
    let iss = esr & 0x01ff_ffff;
    Decoded::Exit(match class {
        // WFI, WFE and the like.
        0x01 => Exit::Halt,
        // HVC from 64-bit code; the number is the instruction's.
        0x16 if iss == u64::from(HVC_MAILBOX) => Exit::Mailbox,
        0x16 if iss == u64::from(HVC_FAULT) => return Decoded::Fault,
        // Aborts from below: of an instruction fetch, of data. WnR is bit 6; a walk of the
        // guest's tables is no write of the guest's.
        0x20 => Exit::Memory { gpa: Gpa(gpa), write: false },
        0x24 => Exit::Memory { gpa: Gpa(gpa), write: iss & (1 << 6) != 0 && iss & (1 << 7) == 0 },
        other => Exit::Unexpected { reason: u32::from(other) },
    })
}

/// The stub's report: `ESR_EL1`, `FAR_EL1`, `ELR_EL1`, `SP_EL0`. The guest may have forged all
/// of it: it is shown to people and decides nothing.
pub(crate) fn fault([esr, far, elr, sp]: [u64; 4]) -> Fault {
    let class = class(esr);
    // The classes that have an address; FnV (bit 10) says that it is not one.
    let has_address = matches!(class, 0x20 | 0x21 | 0x22 | 0x24 | 0x25) && esr & 1 << 10 == 0;
    Fault { vector: class, instruction: elr, stack: sp, address: has_address.then_some(far) }
}

fn class(esr: u64) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "six bits")]
    let class = (esr >> 26) as u8 & 0x3f;
    class
}

/// What a processor says of itself, in the registers that matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `ID_AA64MMFR0_EL1`.
    pub(crate) memory_model_0: u64,
    /// `ID_AA64MMFR1_EL1`.
    pub(crate) memory_model_1: u64,
    /// `ID_AA64ISAR0_EL1`.
    pub(crate) instructions_0: u64,
    /// `ID_AA64ISAR1_EL1`.
    pub(crate) instructions_1: u64,
}

impl Identity {
    /// Insists on what the guest's page tables and boot state rely on.
    ///
    /// # Errors
    ///
    /// [`HypervisorError::Unsupported`] on a processor that lacks it.
    pub(crate) fn check(self) -> Result<(), HypervisorError> {
        // TGran16: 0 is none.
        if field(self.memory_model_0, 20) == 0 {
            return Err(HypervisorError::Unsupported("the CPU has no pages of 16 KiB".into()));
        }
        // PARange: 0 is 32 bits.
        if field(self.memory_model_0, 0) == 0 {
            return Err(HypervisorError::Unsupported("the CPU addresses 4 GiB only".into()));
        }
        // PAN, which SCTLR_EL1.SPAN relies on.
        if field(self.memory_model_1, 20) == 0 {
            return Err(HypervisorError::Unsupported(
                "the CPU is older than Armv8.1 (no PAN)".into(),
            ));
        }
        Ok(())
    }

    /// What compiled code may use.
    pub(crate) fn code_features(self) -> CpuFeatures {
        let mut features = CpuFeatures::NONE;
        for (has, feature) in [
            // Atomic: 2 is LSE. DP, I8MM: 1.
            (field(self.instructions_0, 20) >= 2, CpuFeatures::LSE),
            (field(self.instructions_0, 44) >= 1, CpuFeatures::DOTPROD),
            (field(self.instructions_1, 52) >= 1, CpuFeatures::I8MM),
        ] {
            if has {
                features = features.union(feature);
            }
        }
        features
    }
}

/// Four bits of a register.
fn field(register: u64, at: u32) -> u64 {
    register >> at & 0xf
}

#[cfg(all(test, any(target_os = "macos", feature = "hvsim", feature = "fuzzing")))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoded(esr: u64) -> Decoded {
        decode(Syndrome { esr, gpa: 0xdead_0000 })
    }

    #[test]
    fn only_the_stubs_two_calls_are_calls() {
        let hvc = |number: u16| 0x16 << 26 | 1 << 25 | u64::from(number);
        assert_eq!(decoded(0x5a00_0a00), Decoded::Exit(Exit::Mailbox));
        assert_eq!(decoded(hvc(HVC_FAULT)), Decoded::Fault);
        assert_eq!(decoded(hvc(0)), Decoded::Exit(Exit::Unexpected { reason: 0x16 }));
        // SMC with the same number.
        assert_eq!(decoded(0x5e00_0a00), Decoded::Exit(Exit::Unexpected { reason: 0x17 }));
    }

    #[test]
    fn an_abort_names_its_address() {
        let gpa = Gpa(0xdead_0000);
        let memory = |write| Decoded::Exit(Exit::Memory { gpa, write });
        assert_eq!(decoded(0x9300_0047), memory(true));
        assert_eq!(decoded(0x9300_0007), memory(false));
        assert_eq!(decoded(0x9300_00c7), memory(false), "a walk of the guest's tables");
        assert_eq!(decoded(0x8200_0007), memory(false));
    }

    #[test]
    fn a_fault_without_an_address_has_none() {
        let fault = |esr| fault([esr, 0x1234, 0x20_0000, 0x1ff_0000]);
        assert_eq!(fault(0x9200_0047).address, Some(0x1234));
        assert_eq!(fault(0x9200_0447).address, None, "FnV");
        assert_eq!(fault(0x0200_0000).address, None);
    }

    #[test]
    fn old_processors_are_refused() {
        let good = Identity {
            memory_model_0: 1 << 20 | 2,
            memory_model_1: 1 << 20,
            instructions_0: 2 << 20 | 1 << 44,
            instructions_1: 0,
        };
        good.check().unwrap();
        assert_eq!(good.code_features(), CpuFeatures::LSE.union(CpuFeatures::DOTPROD));
        for bad in [
            Identity { memory_model_0: 2, ..good },
            Identity { memory_model_0: 1 << 20, ..good },
            Identity { memory_model_1: 0, ..good },
        ] {
            bad.check().unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn any_words_decode(esr: u64, gpa: u64, report: [u64; 4]) {
            let mailbox = decode(Syndrome { esr, gpa }) == Decoded::Exit(Exit::Mailbox);
            let class_and_number = (esr >> 26 & 0x3f, esr & 0x01ff_ffff);
            prop_assert_eq!(mailbox, class_and_number == (0x16, u64::from(HVC_MAILBOX)));
            let _ = fault(report);
        }
    }
}

//! Register values with which a guest starts, the same for every backend.
//!
//! Everything that is not here is zero, or as after reset: above all what would have the guest
//! see time (CNTKCTL_EL1), count events (PMUSERENR_EL0), debug itself (MDSCR_EL1), or use
//! vectors beyond 128 bits (CPACR_EL1.ZEN and SMEN): those end in the stub, as exceptions. No
//! key of pointer authentication is set, and its instructions do nothing (SCTLR_EL1.EnIA and
//! the like).

use super::super::BootState;
use wrt_abi::boot::TRAP_BY_VM_EXIT;
use wrt_abi::layout::{IMAGE_BASE, arm};

/// A system register, by the numbers that `msr` and `mrs` have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SystemRegister {
    pub(crate) op0: u8,
    pub(crate) op1: u8,
    pub(crate) crn: u8,
    pub(crate) crm: u8,
    pub(crate) op2: u8,
}

macro_rules! registers {
    ($( $name:ident = $op0:literal, $op1:literal, $crn:literal, $crm:literal, $op2:literal; )*) => {
        $( pub(crate) const $name: SystemRegister = SystemRegister {
            op0: $op0, op1: $op1, crn: $crn, crm: $crm, op2: $op2,
        }; )*
    };
}

// Arm ARM D24.2, each under its name.
registers! {
    MDSCR_EL1 = 2, 0, 0, 2, 2;
    SCTLR_EL1 = 3, 0, 1, 0, 0;
    CPACR_EL1 = 3, 0, 1, 0, 2;
    TTBR0_EL1 = 3, 0, 2, 0, 0;
    TTBR1_EL1 = 3, 0, 2, 0, 1;
    TCR_EL1 = 3, 0, 2, 0, 2;
    SPSR_EL1 = 3, 0, 4, 0, 0;
    ELR_EL1 = 3, 0, 4, 0, 1;
    SP_EL0 = 3, 0, 4, 1, 0;
    ESR_EL1 = 3, 0, 5, 2, 0;
    FAR_EL1 = 3, 0, 6, 0, 0;
    MAIR_EL1 = 3, 0, 10, 2, 0;
    VBAR_EL1 = 3, 0, 12, 0, 0;
    CONTEXTIDR_EL1 = 3, 0, 13, 0, 1;
    TPIDR_EL1 = 3, 0, 13, 0, 4;
    CNTKCTL_EL1 = 3, 0, 14, 1, 0;
    TPIDR_EL0 = 3, 3, 13, 0, 2;
    TPIDRRO_EL0 = 3, 3, 13, 0, 3;
}

/// PSTATE at the stub's first instruction: EL1 on its own stack pointer (which it does not
/// use), all interrupts masked, no access to the runtime's memory (PAN).
pub(crate) const PSTATE_BOOT: u64 = 0x3c5 | 1 << 22;

/// Where the vCPU starts.
pub(crate) const BOOT_PC: u64 = IMAGE_BASE + arm::BOOT_OFFSET;

/// The runtime's first argument.
pub(crate) const BOOT_X0: u64 = TRAP_BY_VM_EXIT;

/// Normal memory, write-back, allocating, for AttrIndx 0.
const MAIR: u64 = 0xff;

/// T0SZ: 47 bits of address. IRGN0, ORGN0, SH0: tables are in memory of that kind. TG0:
/// 16 KiB. EPD1: no upper half. IPS: 36 bits, all that any guest uses.
const TCR: u64 = (64 - 47) | 1 << 8 | 1 << 10 | 3 << 12 | 2 << 14 | 1 << 23 | 1 << 32;

/// M, C, SA, SA0, I: translation and caches on, stack pointers aligned. UCT, UCI: the runtime
/// does its own upkeep of instruction caches. The others are reserved and one, or mean by one
/// what older processors do anyway (EOS, EIS, nTLSMD, LSMAOE). nTWI, nTWE, DZE, UMA are zero:
/// what they would allow ends in the stub. SPAN is zero: the stub has no access to the
/// runtime's memory.
const SCTLR: u64 = 1
    | 1 << 2
    | 1 << 3
    | 1 << 4
    | 1 << 11
    | 1 << 12
    | 1 << 15
    | 1 << 20
    | 1 << 22
    | 1 << 26
    | 3 << 28;

/// FPEN: vector registers of 128 bits, for both sides.
const CPACR: u64 = 3 << 20;

/// The system registers that a boot sets; each backend sets all of them.
pub(crate) fn system_registers(state: &BootState) -> [(SystemRegister, u64); 18] {
    [
        (MAIR_EL1, MAIR),
        (TCR_EL1, TCR),
        (TTBR0_EL1, state.page_tables.0),
        (TTBR1_EL1, 0),
        (VBAR_EL1, IMAGE_BASE),
        (ELR_EL1, state.entry.0),
        (SPSR_EL1, arm::PSTATE_EL0),
        (SP_EL0, state.stack.0),
        (CPACR_EL1, CPACR),
        (CNTKCTL_EL1, 0),
        (MDSCR_EL1, 0),
        (CONTEXTIDR_EL1, 0),
        (TPIDR_EL0, 0),
        (TPIDRRO_EL0, 0),
        (TPIDR_EL1, 0),
        (ESR_EL1, 0),
        (FAR_EL1, 0),
        // Last: translation is on from here.
        (SCTLR_EL1, SCTLR),
    ]
}

/// What an exception's report is made of: ESR_EL1, FAR_EL1, ELR_EL1, SP_EL0, in this order.
pub(crate) const REPORT: [SystemRegister; 4] = [ESR_EL1, FAR_EL1, ELR_EL1, SP_EL0];

//! System registers, and instructions that are denied.

use super::DENIALS;
use crate::attack::Attack;
use crate::orders::Orders;
use anyhow::{Context as _, Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_abi::layout::{IMAGE_BASE, MAILBOX_BASE, SYSTEM_BASE};
use wrt_evil::{Arm, ArmRegister};
use wrt_vm::Error;
use wrt_vm::error::VmEnd;

/// Registers that are EL0's to read and write.
const OF_EL0: &[ArmRegister] = &[
    ArmRegister::TpidrEl0,
    ArmRegister::Nzcv,
    ArmRegister::Fpcr,
    ArmRegister::Fpsr,
    // Of newer processors, and none keeps EL0 from them.
    ArmRegister::Dit,
    ArmRegister::Ssbs,
    ArmRegister::Tco,
    ArmRegister::ScxtnumEl0,
    ArmRegister::Fpmr,
    // Of a debugger that there is not: nothing, whoever asks.
    ArmRegister::Dbgdtr,
];

/// Registers that EL0 may read, and not write: random numbers, what caches are like, what the host says, what is
/// allowed of events, and nothing.
const READ_BY_EL0: &[ArmRegister] = &[
    ArmRegister::RndrEl0,
    ArmRegister::RndrrsEl0,
    ArmRegister::CtrEl0,
    ArmRegister::DczidEl0,
    ArmRegister::TpidrroEl0,
    ArmRegister::PmuserenrEl0,
    ArmRegister::Mdccsr,
];

/// Counters of events that EL0 may have by itself, if a bit of PMUSERENR_EL0 says so, and which a
/// hypervisor keeps from it by MDCR_EL2.
pub(super) const EVENTS: &[ArmRegister] = &[
    ArmRegister::PmswincEl0,
    ArmRegister::PmselrEl0,
    ArmRegister::PmccntrEl0,
    ArmRegister::PmxevcntrEl0,
    ArmRegister::Pmevcntr0El0,
];

/// Those of exception levels that are not the guest's.
fn above(register: ArmRegister) -> bool {
    (ArmRegister::HcrEl2 as u32..=ArmRegister::SpEl2 as u32).contains(&(register as u32))
}

pub(super) fn of_el0(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for &register in ArmRegister::ALL {
        let orders = Orders::new()
            .instruction(register.read(), 0, 0)
            .report_faults()
            .instruction(register.write(), 0, 0)
            .report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let [read, _, reads, write, _, writes] = report[..] else { bail!("{report:x?}") };
        if OF_EL0.contains(&register) {
            continue;
        }
        let denied = |class, count| DENIALS.contains(&class) && count == 1;
        let is_readable = READ_BY_EL0.contains(&register);
        for (what, is_denied) in
            [("read", is_readable || denied(read, reads)), ("written", denied(write, writes))]
        {
            match (is_denied, EVENTS.contains(&register)) {
                (true, _) => {}
                (false, true) => attack.gap_of_qemu(format!("{register:?} can be {what}"))?,
                (false, false) => bail!("{register:?} can be {what}: {report:x?}"),
            }
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

pub(super) fn of_el1(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let mut ends = 0;
    for &register in ArmRegister::ALL {
        for of in [register.read(), register.write()] {
            for word in [0, 1, 0x0606_0606_0606_0606, u64::MAX] {
                let orders = Orders::new()
                    .privileged(of, word, 0)
                    .report_faults()
                    .call(Call::RegionRelease, 0, &[1])
                    .report(12, 1);
                evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
                match evil.vm.load(&orders.module()?) {
                    Ok(_) => {}
                    Err(Error::Ended(VmEnd::Hypervisor(text))) => bail!("{register:?}: {text}"),
                    Err(Error::Ended(_) | Error::Interrupted(_)) => {
                        ends += 1;
                        evil.vm.reset()?;
                        continue;
                    }
                    Err(error) => bail!("{register:?}: {error}"),
                }
                if above(register) {
                    let look = Orders::new().privileged(of, word, 0).report_faults();
                    let report = attack.survives(&mut evil, &look)?;
                    ensure!(report[2] == 1, "{register:?} is reached from EL1: {report:x?}");
                }
                evil.vm.reset()?;
            }
        }
        attack.works(&mut evil)?;
    }
    attack.note(&format!("{ends} ends"));
    attack.count(&evil.vm);
    Ok(())
}

pub(super) fn modes(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let usual = 0x3450_d81d_u64;
    for (register, values) in [
        // Without translation or caches; with big-endian data, aligned data, no page both writable
        // and executable, keys, and all that EL0 may be allowed.
        (
            ArmRegister::SctlrEl1,
            &[
                0,
                usual & !1,
                usual & !4,
                usual & !(1 << 12),
                usual | 1 << 25,
                usual | 1 << 24,
                usual | 2,
                usual | 1 << 19,
                usual | 1 << 31 | 1 << 30 | 1 << 27 | 1 << 13,
                usual | 1 << 14 | 1 << 16 | 1 << 18 | 1 << 9,
                u64::MAX,
            ][..],
        ),
        // Other sizes of pages and addresses; none.
        (ArmRegister::TcrEl1, &[0, 17, 17 | 1 << 14, 17 | 3 << 14, 63 | 2 << 14, 1 << 7, u64::MAX]),
        // Devices, no caches, reserved ones.
        (ArmRegister::MairEl1, &[0, 4, 0x44, 0x0c, 0xf0, u64::MAX]),
        (ArmRegister::CpacrEl1, &[0, 1 << 20, 3 << 20 | 3 << 16, 3 << 20 | 3 << 24, u64::MAX]),
        (ArmRegister::Mdscr, &[1, 1 << 12, 1 << 15, 1 << 13 | 1 << 15 | 1, u64::MAX]),
        (ArmRegister::SpsrEl1, &[0, 0x3c4, 0x3c5, 0x3c9, 0x3cd, 0x1f, 1 << 20, 1 << 21, u64::MAX]),
        (ArmRegister::ElrEl1, &[0, 1, 2, IMAGE_BASE, SYSTEM_BASE, 1 << 63, u64::MAX]),
        (ArmRegister::SpSel, &[0, 1]),
        (ArmRegister::CntkctlEl1, &[3, 0x303, u64::MAX]),
        (ArmRegister::PmuserenrEl0, &[u64::MAX]),
    ] {
        for &value in values {
            let orders = Orders::new()
                .privileged(register.write(), value, 0)
                .privileged_as_it_is(Arm::TlbiAll)
                .instruction(ArmRegister::CntvctEl0.read(), 0, 0)
                .instruction(Arm::LoadV0, 0, MAILBOX_BASE + 256)
                .instruction(Arm::LoadZ0, 0, MAILBOX_BASE + 256)
                .call(Call::RegionReserve, 0, &[4096])
                .report_faults();
            attack
                .may_end(&mut evil, Duration::from_millis(500), &orders)
                .with_context(|| format!("{register:?} {value:#x}"))?;
        }
    }
    Ok(())
}

pub(super) fn denied(attack: &mut Attack) -> Result<()> {
    const DENIED: &[Arm] = &[
        Arm::Udf,
        Arm::UdfMax,
        Arm::Eret,
        Arm::Eretaa,
        Arm::Drps,
        Arm::Dcps1,
        Arm::Dcps2,
        Arm::Dcps3,
        Arm::Hlt,
        Arm::HltHost,
        Arm::Hvc0,
        Arm::HvcMailbox,
        Arm::HvcReport,
        Arm::HvcMax,
        Arm::Smc0,
        Arm::SmcMailbox,
        Arm::SmcMax,
        Arm::MaskAll,
        Arm::UnmaskAll,
        Arm::StackOfEl0,
        Arm::StackOfEl1,
        Arm::PanOff,
        Arm::PanOn,
        Arm::UaoOn,
        Arm::SmStart,
        Arm::DcZva,
        Arm::DcIvac,
        Arm::DcIsw,
        Arm::DcCsw,
        Arm::DcGva,
        Arm::IcIallu,
        Arm::IcIalluis,
        Arm::TlbiAll,
        Arm::TlbiVae1,
        Arm::TlbiAlle1,
        Arm::TlbiAlle2,
        Arm::TlbiAlle3,
        Arm::TlbiStage2,
        Arm::AtS1e1r,
        Arm::AtS1e0w,
        Arm::AtS12e1r,
        Arm::Load64Bytes,
        Arm::Store64Bytes,
        Arm::Rdvl,
        Arm::LoadZ0,
        Arm::StoreZ0,
        Arm::ReadFirstFault,
        Arm::Rdsvl,
        Arm::ZeroZa,
        Arm::AmxSet,
        Arm::AmxClr,
        Arm::Tstart,
        Arm::Genter,
        Arm::Gexit,
    ];
    let mut evil = attack.evil()?;
    for &of in DENIED {
        let orders = Orders::new().scratch(2).set(0, 0).instruction_as_it_is(of).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(
            DENIALS.contains(&report[0]) && report[2] == 1,
            "{of:?} is not denied: {report:x?}"
        );
    }
    // Those that are exceptions by themselves.
    for (of, class) in [(Arm::SvcMax, 0x15), (Arm::Brk, 0x3c), (Arm::BrkMailbox, 0x3c)] {
        let orders = Orders::new().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[0] == class && report[2] == 1, "{of:?}: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

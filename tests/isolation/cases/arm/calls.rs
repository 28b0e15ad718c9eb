//! Calls of a hypervisor and of firmware, and the doorbell.

use super::{ERET, run_at_el1, serves_calls};
use crate::attack::{Attack, Evil, by_exception, by_exit};
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_abi::layout::{IMAGE_BASE, arm as layout};
use wrt_evil::Arm;
use wrt_vm::Error;
use wrt_vm::error::VmEnd;
use wrt_vm::hypervisor::Exit;

fn hvc_of(number: u16) -> u32 {
    0xd400_0002 | u32::from(number) << 5
}

pub(super) fn hvc(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let mailbox = Orders::new().call(Call::RegionRelease, 0, &[1]);
    let odd = Arm::ALL.iter().filter(|&&of| {
        let is_odd = (Arm::HvcSwapped as u32..=Arm::HvcReportBit15 as u32).contains(&(of as u32));
        is_odd || of == Arm::Hvc0
    });
    for &of in odd {
        no_call(attack, &mut evil, &mailbox.clone().privileged(of, 0, 0))?;
    }
    // Many more, where the guest may write the instruction.
    let more = if attack.executes_data() { u16::MAX } else { 0 };
    for number in (0..more).step_by(257) {
        let orders = run_at_el1(attack, &[hvc_of(number), ERET], 0);
        no_call(attack, &mut evil, &mailbox.clone().and(&orders))?;
    }
    if !serves_calls(attack) {
        // The two that are the stub's: the mailbox, and a report of nothing.
        attack.survives(&mut evil, &mailbox.clone().privileged(Arm::HvcMailbox, 0, 0))?;
        attack.ends(&mut evil, &Orders::new().privileged(Arm::HvcReport, 0, 0), by_exception)?;
    }
    for of in [Arm::Hvc0, Arm::HvcMailbox, Arm::HvcReport, Arm::HvcMax] {
        let orders = mailbox.clone().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[0] == 0 && report[2] == 1, "{of:?} from EL0: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

/// Orders that end with a call of the hypervisor's by a number that is none of the stub's.
fn no_call(attack: &mut Attack, evil: &mut Evil, orders: &Orders) -> Result<()> {
    if !serves_calls(attack) {
        let denied = by_exit(|exit| exit == Exit::Unexpected { reason: 0x16 });
        return attack.ends(evil, orders, denied);
    }
    match evil.load(orders) {
        Ok(_) => {}
        Err(Error::Ended(VmEnd::BadExit(exit))) => attack.note(&VmEnd::BadExit(exit)),
        other => bail!("{other:?}"),
    }
    attack.works(evil)
}

pub(super) fn firmware(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // SMCCC (DEN 0028) and PSCI (DEN 0022): versions, CPU_ON, SYSTEM_OFF, SYSTEM_RESET, random
    // numbers, the hypervisor's own; PSCI before it was one; nothing.
    let functions = [
        0x8000_0000,
        0x8000_0001,
        0x8000_8000,
        0x8000_7fff,
        0x8400_0000,
        0x8400_0001,
        0x8400_0002,
        0x8400_0008,
        0x8400_0009,
        0x8400_000a,
        0xc400_0003,
        0xc400_000e,
        0xc400_0012,
        0x8400_0053,
        0x8600_ff01,
        0x8600_0000,
        0xc600_0003,
        0x95c1_ba5e,
        0x95c1_ba60,
        u64::MAX,
    ];
    let refused = |end: &VmEnd| {
        matches!(end, VmEnd::BadExit(Exit::Unexpected { .. } | Exit::Halt)) || by_exception(end)
    };
    for function in functions {
        for of in [Arm::Smc0, Arm::SmcMailbox, Arm::SmcReport, Arm::Hvc0] {
            let orders = Orders::new()
                .call(Call::RegionRelease, 0, &[1])
                .set(1, 1)
                .set(3, 0)
                .privileged(of, function, IMAGE_BASE)
                .report_faults();
            evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
            match evil.vm.load(&orders.module()?) {
                Ok(_) | Err(Error::Interrupted(_)) => {}
                Err(Error::Ended(end)) if refused(&end) => attack.note(&end),
                other => bail!("{of:?} of {function:#x}: {other:?}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

pub(super) fn doorbell(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let rings = serves_calls(attack);
    let mailbox = Orders::new().call(Call::RegionRelease, 0, &[1]);
    for of in [
        Arm::Read8,
        Arm::Read32,
        Arm::Read64,
        Arm::ReadPair,
        Arm::Write8,
        Arm::Write16,
        Arm::Write32,
        Arm::Write64,
        Arm::WritePair,
        Arm::Swap,
        Arm::WriteExclusive,
        Arm::StoreV0,
    ] {
        for offset in [0, 4, layout::RING_FAULT, 12, 0x1000, 0x3ffc, 0x4000] {
            let at = layout::DOORBELL_BASE + offset;
            let orders = mailbox.clone().privileged(of, 0, at).report_faults();
            match evil.run(&orders) {
                Ok(report) => {
                    let delivered = rings && of == Arm::Write32 && offset == layout::RING_MAILBOX;
                    ensure!(report[2] == u64::from(!delivered), "{of:?} at {at:#x}: {report:x?}");
                }
                Err(Error::Ended(end)) if rings => attack.note(&end),
                Err(error) => bail!("{of:?} at {at:#x}: {error}"),
            }
            let report = attack.survives_anew(
                &mut evil,
                &mailbox.clone().instruction(of, 0, at).report_faults(),
            )?;
            ensure!(report[2] == 1, "{of:?} at {at:#x} from EL0: {report:x?}");
        }
    }
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

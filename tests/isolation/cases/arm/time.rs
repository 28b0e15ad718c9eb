//! Counters, timers and waiting.

use super::DENIALS;
use super::registers::EVENTS;
use crate::attack::Attack;
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_evil::{Arm, ArmRegister};
use wrt_vm::Error;
use wrt_vm::error::VmEnd;
use wrt_vm::hypervisor::Exit;

pub(super) fn clocks(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for register in [
        ArmRegister::CntfrqEl0,
        ArmRegister::CntpctEl0,
        ArmRegister::CntvctEl0,
        ArmRegister::CntpctssEl0,
        ArmRegister::CntvctssEl0,
        ArmRegister::CntpTval,
        ArmRegister::CntpCtl,
        ArmRegister::CntvTval,
        ArmRegister::CntvCtl,
        ArmRegister::CntvCval,
        ArmRegister::PmcrEl0,
        ArmRegister::PmccntrEl0,
        ArmRegister::Pmevcntr0El0,
        ArmRegister::AmcrEl0,
    ] {
        let orders = Orders::new().instruction(register.read(), 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let is_denied = DENIALS.contains(&report[0]) && report[2] == 1;
        match (is_denied, EVENTS.contains(&register)) {
            (true, _) => {}
            (false, true) => attack.gap_of_qemu(format!("{register:?} can be read"))?,
            (false, false) => bail!("{register:?} is not denied: {report:x?}"),
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

/// Timers that are up, and interrupts that nobody masks: no end but the guest's own.
pub(super) fn timers(attack: &mut Attack) -> Result<()> {
    if attack.is_kvm_in_qemu()? {
        // The emulator itself comes to a stop, and not even ends when it is told to.
        return attack.gap_of_qemu("timers were not tried".to_owned());
    }
    let mut evil = attack.evil()?;
    for (control, value) in [
        (ArmRegister::CntvCtl, ArmRegister::CntvCval),
        (ArmRegister::CntpCtl, ArmRegister::CntpCval),
    ] {
        for when in [0, 1 << 20, u64::MAX] {
            let orders = Orders::new()
                .privileged(value.write(), when, 0)
                .privileged(control.write(), 1, 0)
                .privileged_as_it_is(Arm::UnmaskAll)
                .privileged(ArmRegister::SpsrEl1.write(), 0, 0)
                .spin(100_000)
                .report_faults();
            match evil.run(&orders) {
                Ok(report) => attack.note(&format!("{control:?} at {when:#x}: {report:x?}")),
                Err(Error::Interrupted(_)) => attack.note(&"timed out"),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("{control:?} at {when:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

pub(super) fn waits(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // From EL0 they are the stub's; without waiting, there is nothing to deny.
    let orders = Orders::new().instruction(Arm::Wfi, 0, 0).report_faults();
    let report = attack.survives(&mut evil, &orders)?;
    ensure!(report[0] == 1 && report[2] == 1, "EL0 waits: {report:x?}");
    for of in [Arm::Wfe, Arm::Wfit, Arm::Wfet, Arm::Sev, Arm::Sevl, Arm::Yield] {
        let orders = Orders::new().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[2] == 0 || DENIALS.contains(&report[0]), "{of:?}: {report:x?}");
    }
    attack.halts(&mut evil, &Orders::new().privileged_as_it_is(Arm::Wfi))?;
    // With interrupts that are not masked, and none to come.
    let unmasked = Orders::new()
        .privileged(ArmRegister::SctlrEl1.write(), 0x3450_d81d | 1 << 16 | 1 << 18, 0)
        .instruction(Arm::Wfi, 0, 0);
    attack.halts(&mut evil, &unmasked)?;
    for of in [Arm::Wfe, Arm::Wfit, Arm::Wfet] {
        evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
        match evil.vm.load(&Orders::new().privileged(of, u64::MAX, 0).module()?) {
            Ok(_) | Err(Error::Interrupted(_)) => {}
            Err(Error::Ended(VmEnd::BadExit(Exit::Halt))) => {
                attack.note(&VmEnd::BadExit(Exit::Halt))
            }
            other => bail!("{of:?}: {other:?}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

//! Vectors, stacks and debugging.

use crate::arch::CHUNKS_GPA;
use crate::attack::Attack;
use crate::orders::Orders;
use anyhow::{Context as _, Result, ensure};
use std::time::Duration;
use wrt_abi::Call;
use wrt_abi::layout::{IMAGE_BASE, MAILBOX_BASE, SYSTEM_BASE, arm as layout};
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, ArmRegister, WINDOW};

pub(super) fn vectors(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let places = [
        0,
        IMAGE_BASE + 0x1000,
        SYSTEM_BASE,
        layout::DOORBELL_BASE,
        MAILBOX_BASE,
        WINDOW + processor.places.data,
        ARM_PRIVILEGED_WINDOW + processor.places.data,
        ARM_PRIVILEGED_WINDOW + 0xfee0_0000,
        ARM_PRIVILEGED_WINDOW + CHUNKS_GPA + (512 << 20),
        1 << 47,
        1 << 63,
    ];
    for place in places {
        for then in [Arm::Udf, Arm::Svc, Arm::SvcMax] {
            let orders = Orders::new()
                .call(Call::RegionRelease, 0, &[1])
                .window(processor)
                .privileged(ArmRegister::VbarEl1.write(), place, 0)
                .instruction(then, 0, 0);
            // Whatever is there is executed: what comes of it is the guest's own.
            attack
                .may_end(&mut evil, Duration::from_millis(500), &orders)
                .with_context(|| format!("vectors at {place:#x}"))?;
        }
    }
    Ok(())
}

pub(super) fn stacks(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    for stack in [scratch + 8, scratch + 1, 8, u64::MAX, 1 << 63] {
        // Not aligned; or nothing to return to, where the processor does not look at that.
        let orders = Orders::new().instruction(Arm::UseStack, stack, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let ended = [0x26, 0x24, 0x22, 0x20].contains(&report[0]) && report[2] == 1;
        ensure!(ended, "a stack at {stack:#x}: {report:x?}");
        // EL1's own, which the stub has no use for.
        let orders = Orders::new()
            .privileged(Arm::UseStack, stack, 0)
            .report_faults()
            .privileged_as_it_is(Arm::StackOfEl0)
            .call(Call::RegionReserve, 0, &[4096])
            .report(12, 1);
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[2] <= 1 && report[3] == 0, "EL1's at {stack:#x}: {report:x?}");
        attack.works(&mut evil)?;
    }
    Ok(())
}

pub(super) fn debug(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let set = |orders: Orders, registers: &[(ArmRegister, u64)]| {
        registers.iter().fold(orders, |o, (of, value)| o.privileged(of.write(), *value, 0))
    };
    let locks = [(ArmRegister::Oslar, 0), (ArmRegister::Osdlr, 0)];
    // Enabled for both levels, all bytes; KDE, MDE, and single steps.
    for control in [0x1e5, 0x1e7, 0x1ff, 0x1fff_1fff, u64::MAX] {
        for mode in [1 << 15, 1 << 13 | 1 << 15, 1 | 1 << 15, u64::MAX] {
            let orders = set(Orders::new(), &locks);
            let orders = set(
                orders,
                &[
                    (ArmRegister::Dbgbvr0, 0x0040_0000),
                    (ArmRegister::Dbgbcr0, control),
                    (ArmRegister::Dbgwvr0, scratch),
                    (ArmRegister::Dbgwcr0, control | 3 << 3),
                    (ArmRegister::Mdscr, mode),
                ],
            );
            let orders = orders
                .put(3, scratch, 1)
                .load(4, scratch)
                .call(Call::RegionReserve, 0, &[4096])
                .report_faults();
            attack
                .may_end(&mut evil, Duration::from_millis(500), &orders)
                .with_context(|| format!("{control:#x}, {mode:#x}"))?;
        }
    }
    Ok(())
}

//! Code of its own at EL1, and page tables of its own.

use super::{ERET, run_at_el1};
use crate::attack::{Attack, by_access};
use crate::orders::Orders;
use anyhow::{Result, ensure};
use std::time::Duration;
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, WINDOW};
use wrt_vm::error::VmEnd;

pub(super) fn own_code(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    // mov w0, #7
    let orders = run_at_el1(attack, &[0x5280_00e0, ERET], 0).report(0, 1);
    if attack.executes_data() {
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report == [7], "EL1 does not execute its own: {report:x?}");
    } else {
        attack.ends(&mut evil, &orders, by_access)?;
    }
    // What EL0 may write, EL1 does not execute, nor does it reach any of EL0's unless it asks to.
    let place = WINDOW + processor.places.data;
    for of in [Arm::JumpTo, Arm::Read64, Arm::Write64] {
        let orders = Orders::new().window(processor).privileged(of, 0, place).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[2] == 1, "{of:?} of EL0's memory at EL1: {report:x?}");
        attack.works(&mut evil)?;
    }
    // The image's code, which all VMs share, by the window that nothing forbids writing.
    for of in [Arm::Write8, Arm::Write32, Arm::Write64] {
        for gpa in processor.places.image {
            let at = ARM_PRIVILEGED_WINDOW + gpa;
            let orders = Orders::new().window(processor).privileged(of, 0, at);
            attack.ends(&mut evil, &orders, |end| {
                matches!(end, VmEnd::BadAccess { write: true, .. })
            })?;
        }
    }
    Ok(())
}

pub(super) fn loops(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let root = processor.places.tables.start;
    // An address whose tables are all the root, which is then a page of EL0's, too: read, write,
    // execute.
    let index = 0x7fe_u64;
    let itself = index << 36 | index << 25 | index << 14;
    for flags in [1, 3, 3 | 1 << 6 | 1 << 10, 3 | 1 << 6 | 3 << 8 | 1 << 10] {
        let orders = Orders::new()
            .window(processor)
            .put(3, WINDOW + root + 8 * index, root | flags)
            .privileged_as_it_is(Arm::TlbiAll)
            .load(4, itself + 8 * index)
            .put(3, itself + 8 * 5, 7)
            .jump(itself)
            .report(4, 1)
            .put(3, itself, 0)
            .privileged_as_it_is(Arm::TlbiAll);
        attack.may_end(&mut evil, Duration::from_secs(1), &orders)?;
    }
    Ok(())
}

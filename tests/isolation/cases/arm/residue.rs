//! What an attacker's system registers leave for the next.

use super::serves_calls;
use crate::attack::{Attack, Evil, by_access};
use crate::cases::residue::{TENANT, next_finds_nothing};
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, ArmRegister, WINDOW, secret};
use wrt_vm::{Backend, Error};

pub(super) fn residue(attack: &mut Attack) -> Result<()> {
    /// What a guest can leave something in, and nothing changes by itself.
    const KEPT: &[ArmRegister] = &[
        ArmRegister::TpidrEl1,
        ArmRegister::TpidrroEl0,
        ArmRegister::TpidrEl0,
        ArmRegister::ContextidrEl1,
        ArmRegister::Ttbr1El1,
        ArmRegister::AmairEl1,
        ArmRegister::Afsr0El1,
        ArmRegister::Afsr1El1,
        ArmRegister::ParEl1,
        ArmRegister::CsselrEl1,
        ArmRegister::CntkctlEl1,
        ArmRegister::CntvCval,
        ArmRegister::CntpCval,
        ArmRegister::CntvCtl,
        ArmRegister::CntpCtl,
        ArmRegister::PmuserenrEl0,
        ArmRegister::PmselrEl0,
        ArmRegister::Mdscr,
        ArmRegister::Dbgbvr0,
        ArmRegister::Dbgwvr0,
        ArmRegister::Dbgbvr1,
        ArmRegister::Dbgbvr15,
        ArmRegister::Mdccint,
        ArmRegister::PmintensetEl1,
        ArmRegister::ApiaKeyLo,
        ArmRegister::ApiaKeyHi,
        ArmRegister::ApibKeyLo,
        ArmRegister::ApdaKeyLo,
        ArmRegister::ApgaKeyHi,
        ArmRegister::ScxtnumEl0,
        ArmRegister::ScxtnumEl1,
    ];
    let mut evil = attack.evil()?;
    // What is written: nothing that steps, or is up at once.
    let word = |of| match of {
        ArmRegister::CntvCtl | ArmRegister::CntpCtl => 2,
        ArmRegister::Mdscr => 1 << 12,
        ArmRegister::CntkctlEl1 => 3,
        _ => secret(TENANT) & 0x7fff_ffff_ffff_c000,
    };
    // Each alone: one that is not there leaves the word that is in x0. The last is EL1's stack
    // pointer.
    let read = |orders: Orders| {
        let read = |o: Orders, of: &ArmRegister| o.privileged(of.read(), 0, 0).report(0, 1);
        KEPT.iter().fold(orders, read).privileged(Arm::ReadStack, 0, 0).report(0, 1)
    };
    let name = |place: usize| KEPT.get(place).map_or("SP".to_owned(), |of| format!("{of:?}"));
    let fresh = attack.survives(&mut evil, &read(Orders::new()))?;
    let write = KEPT
        .iter()
        .fold(Orders::new(), |o, &of| o.privileged(of.write(), word(of), 0))
        .privileged(Arm::SetStack, secret(TENANT), 0);
    let left = attack.survives(&mut evil, &read(write))?;
    ensure!(left[0] == word(KEPT[0]), "A does not find its own: {left:x?}");
    let differ = |now: &[u64]| {
        let pairs = now.iter().zip(&fresh).enumerate();
        let differ = pairs.filter(|(_, (now, then))| now != then);
        differ.map(|(place, (now, _))| format!("{} {now:#x}", name(place))).collect::<Vec<_>>()
    };
    let changed = differ(&left).len();
    evil.vm.reset()?;
    let found = differ(&attack.survives(&mut evil, &read(Orders::new()))?);
    if attack.setup.backend == Backend::Kvm && found.len() == 1 && found[0].starts_with("CntpCval")
    {
        attack.gap = Some(format!("{}: Linux before 6.4 cannot put it back", found[0]));
    } else {
        ensure!(found.is_empty(), "B finds what there was not: {}", found.join(", "));
    }
    drop(evil);
    let mut another = attack.evil()?;
    let found = differ(&attack.survives(&mut another, &read(Orders::new()))?);
    ensure!(found.is_empty(), "B finds in a new VM what there was not: {}", found.join(", "));
    attack.note(&format!("{changed} of {} were changed, and put back", KEPT.len() + 1));
    Ok(())
}

/// A leaves by accesses of all kinds; what they return, and where they go on, is not B's.
pub(super) fn residue_access(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    for of in [
        Arm::Read8,
        Arm::ReadSigned,
        Arm::Read64,
        Arm::ReadPair,
        Arm::ReadBehind,
        Arm::ReadAcquire,
        Arm::ReadExclusive,
        Arm::LoadV0,
        Arm::Write8,
        Arm::Write64,
        Arm::WriteZero,
        Arm::WritePair,
        Arm::WriteBefore,
        Arm::WriteRelease,
        Arm::StoreV31,
        Arm::Swap,
        Arm::CompareAndSwap,
        Arm::JumpTo,
        Arm::JumpThrough,
        Arm::UseStack,
        Arm::DcCivac,
    ] {
        for el1 in [false, true] {
            let nowhere = 0xfee0_1000;
            let at = if el1 { ARM_PRIVILEGED_WINDOW } else { WINDOW } + nowhere;
            let orders = Orders::new().window(processor);
            let orders = match el1 {
                true => orders.privileged(of, at, at),
                false => orders.instruction(of, at, at),
            };
            leaves(attack, &mut evil, &orders)?;
            next_finds_nothing(attack, &mut evil)?;
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn leaves(attack: &mut Attack, evil: &mut Evil, orders: &Orders) -> Result<()> {
    match evil.load(orders) {
        Ok(_) | Err(Error::Interrupted(_)) => {}
        // Linux does not go on after what it cannot decode.
        Err(Error::Ended(end)) if by_access(&end) || serves_calls(attack) => attack.note(&end),
        Err(error) => bail!("{error}"),
    }
    Ok(())
}

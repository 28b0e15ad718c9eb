//! Taking the host's time and memory.

use super::{EVIL, RINGS, case};
use crate::attack::Attack;
use crate::case::Case;
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_evil::Policy;
use wrt_vm::Error;
use wrt_vm::error::Interruption;

pub(super) const CASES: &[Case] = &[
    case("spin-ring-3", &[43], EVIL, "an endless loop without exits", spin),
    case("spin-ring-0", &[44], RINGS, "an endless loop in ring 0, interrupts off", spin_ring_0),
    case("halt", &[44], RINGS, "halting for ever", halt),
    case("fault-storm", &[43], EVIL, "exceptions without end, in the guest", fault_storm),
    case("exit-storm", &[38, 45], EVIL, "hypercalls without end", exit_storm),
    case("exit-storm-cancelled", &[41, 45], EVIL, "a storm that others end", cancelled),
    case("vm-dropped-busy", &[41], EVIL, "VMs that go in the midst of it", dropped),
    case("memory-touched", &[51], EVIL, "all the memory there is, in three VMs", touched),
];

fn spin(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.times_out(&mut evil, &Orders::new().spin(0))
}

fn spin_ring_0(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let undefined = attack.processor().undefined;
    let spin = Orders::new().policy(Policy::Spin).instruction(undefined, 0, 0);
    attack.times_out(&mut evil, &spin)
}

fn halt(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.halts(&mut evil, &Orders::new().privileged_as_it_is(attack.processor().wait))
}

fn fault_storm(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let storm = Orders::new().load(0, 0).repeat(1, u64::MAX);
    attack.times_out(&mut evil, &storm)?;
    attack.count(&evil.vm);
    Ok(())
}

/// A call that does nothing, for ever.
fn storm() -> Orders {
    Orders::new().call(Call::RegionRelease, 0, &[1]).repeat(1, u64::MAX)
}

fn exit_storm(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.times_out(&mut evil, &storm())?;
    attack.count(&evil.vm);
    ensure!(attack.exits > 100, "no storm: {} exits", attack.exits);
    Ok(())
}

fn cancelled(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for pause in [0, 1, 5, 20, 50] {
        let handle = evil.vm.cancel_handle();
        let other = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(pause));
            handle.cancel()
        });
        match evil.load(&storm()) {
            Err(Error::Interrupted(Interruption::Cancelled)) => attack.note(&"cancelled"),
            other => bail!("{other:?}"),
        }
        ensure!(other.join().unwrap_or(false), "nothing was there to cancel");
        attack.works(&mut evil)?;
    }
    attack.count(&evil.vm);
    Ok(())
}

fn dropped(attack: &mut Attack) -> Result<()> {
    for pause in [0, 1, 10] {
        let mut evil = attack.evil()?;
        let handle = evil.vm.cancel_handle();
        let reserve = Orders::new().call(Call::RegionReserve, 0, &[8 << 20]).add(6, 14, 0);
        let busy = reserve.plant_at(6, 0, 8 << 20, 1).repeat(1, u64::MAX);
        let module = busy.module()?;
        let thread = std::thread::spawn(move || {
            let _ = evil.vm.load(&module);
            // It goes here, as it was when it was stopped.
            drop(evil);
        });
        std::thread::sleep(Duration::from_millis(pause));
        handle.cancel();
        if thread.join().is_err() {
            bail!("the VM's thread panicked");
        }
    }
    attack.note(&"gone");
    Ok(())
}

fn touched(attack: &mut Attack) -> Result<()> {
    const EACH: u64 = 96 << 20;
    let started = Instant::now();
    // Or in the one that there is.
    let count = if attack.one_vm()? { 1 } else { 3 };
    let mut evils = (0..count).map(|_| attack.evil()).collect::<Result<Vec<_>>>()?;
    let before = crate::judge::resident()?;
    for evil in &mut evils {
        let orders = Orders::new()
            .call(Call::RegionReserve, 0, &[EACH])
            .report(12, 1)
            .add(6, 14, 0)
            .plant_at(6, 0, EACH, 1);
        let report = attack.survives(evil, &orders)?;
        ensure!(report == [0], "{report:x?}");
    }
    let taken = crate::judge::resident()?.saturating_sub(before);
    for evil in &mut evils {
        attack.works(evil)?;
        attack.count(&evil.vm);
    }
    let left = crate::judge::resident()?.saturating_sub(before) >> 20;
    ensure!(left < 48, "{left} MiB are left after resets");
    attack.note(&format!("{} MiB taken, in {:?}", taken >> 20, started.elapsed()));
    Ok(())
}

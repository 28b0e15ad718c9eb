//! Guests that go on from others: whose pages are shared until somebody writes them.

use super::residue::{TENANT, check_entry, fill, finds_nothing, look};
use super::{EVIL, case};
use crate::attack::{Attack, Evil};
use crate::case::{Case, Guests};
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use wrt_abi::Call;
use wrt_abi::layout::{HEAP_BASE, HEAP_INITIAL, MAILBOX_BASE};
use wrt_vm::{Backend, Error, Snapshot, Value, WasiConfig};

pub(super) const CASES: &[Case] = &[
    case("snapshot-restored", &[13, 14], EVIL, "memory after a return to a snapshot", restored),
    case("snapshot-registers", &[13], EVIL, "registers after a return to a snapshot", registers),
    case("snapshot-shared", &[11, 14], SEVERAL, "writing pages that other VMs share", shared),
    case("snapshot-odd", &[14, 42], SEVERAL, "a snapshot of memory that is as odd as can be", odd),
    case("snapshot-ended", &[14, 42], EVIL, "a snapshot of a VM that has ended", ended),
    case("snapshot-program", &[13, 14], Guests::Honest, "a program's memory", program),
];

/// Of evil guests of which a process has several.
const SEVERAL: Guests = Guests::Evil(&[Backend::Kvm, Backend::Process]);

/// What is in the heap when the snapshot is taken.
const KEPT: u64 = 0x6b_6570;

/// A guest whose heap holds something, and a snapshot of it.
fn prepared(attack: &mut Attack) -> Result<(Evil, Snapshot)> {
    let mut evil = attack.evil()?;
    attack.survives(&mut evil, &Orders::new().plant(HEAP_BASE, HEAP_INITIAL, KEPT))?;
    let snapshot = evil.vm.snapshot()?;
    Ok((evil, snapshot))
}

/// Whether a guest has in its heap what the snapshot had.
fn has_what_was_kept(attack: &mut Attack, evil: &mut Evil) -> Result<()> {
    let found = attack.survives(evil, &Orders::new().scan(8, HEAP_BASE, HEAP_INITIAL, KEPT))?;
    ensure!(found[0] == HEAP_INITIAL / 8, "{} words of the snapshot are there", found[0]);
    Ok(())
}

/// A was there before the snapshot, and after it; B is to find the one and not the other.
fn restored(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.survives(&mut evil, &Orders::new())?;
    let snapshot = evil.vm.snapshot()?;
    attack.survives(&mut evil, &fill())?;
    evil.vm.restore(&snapshot, WasiConfig::new())?;
    finds_nothing(&attack.survives(&mut evil, &look())?)?;
    drop((evil, snapshot));

    let (mut evil, snapshot) = prepared(attack)?;
    attack.survives(&mut evil, &fill())?;
    evil.vm.restore(&snapshot, WasiConfig::new())?;
    has_what_was_kept(attack, &mut evil)?;
    attack.count(&evil.vm);
    Ok(())
}

fn registers(attack: &mut Attack) -> Result<()> {
    let (mut evil, snapshot) = prepared(attack)?;
    // Stopped in the midst of it: the trap delivers a request that is A's end.
    let orders = Orders::new().call(Call::RegionRelease, 0, &[1]).put(2, MAILBOX_BASE, 0);
    match evil.load(&orders.registers(TENANT)) {
        Err(Error::Ended(end)) => attack.note(&end),
        other => bail!("{other:?}"),
    }
    evil.vm.restore(&snapshot, WasiConfig::new())?;
    let report = attack.survives(&mut evil, &Orders::new().report_entry())?;
    check_entry(attack, &report)?;
    attack.count(&evil.vm);
    Ok(())
}

/// Each of three writes all that it has; the others and the snapshot stay as they are.
fn shared(attack: &mut Attack) -> Result<()> {
    let (mut first, snapshot) = prepared(attack)?;
    let mut second = attack.evil_from(&snapshot)?;
    attack.survives(&mut first, &fill())?;
    has_what_was_kept(attack, &mut second)?;
    let found = attack.survives(&mut second, &look())?;
    ensure!(found.chunks_exact(3).all(|scan| scan[0] == 0), "the first's words: {found:x?}");
    attack.survives(&mut second, &Orders::new().plant(HEAP_BASE, HEAP_INITIAL, KEPT + 1))?;
    let found =
        attack.survives(&mut first, &Orders::new().scan(8, HEAP_BASE, HEAP_INITIAL, TENANT))?;
    ensure!(found[0] == HEAP_INITIAL / 8, "the second wrote the first's memory");
    let mut third = attack.evil_from(&snapshot)?;
    drop((first, second, snapshot));
    has_what_was_kept(attack, &mut third)?;
    attack.works(&mut third)?;
    attack.count(&third.vm);
    Ok(())
}

/// Regions of a page here and a page there, which no two of its mappings have side by side.
fn odd(attack: &mut Attack) -> Result<()> {
    const APART: u64 = 0x1_4000;
    const LEN: u64 = 4 << 20;
    let mut evil = attack.evil()?;
    let mut orders = Orders::new();
    for _ in 0..8 {
        orders = orders.call(Call::RegionReserve, 0, &[LEN]).add(6, 14, 0);
        for at in (0..LEN - 8).step_by(usize::try_from(APART)?) {
            orders = orders.put_at(8, 6, at, KEPT);
        }
    }
    attack.survives(&mut evil, &orders)?;
    for _ in 0..3 {
        let snapshot = evil.vm.snapshot()?;
        let mut other = attack.evil_from(&snapshot)?;
        // It has the same regions, and may have more.
        attack.survives(&mut other, &orders)?;
        attack.works(&mut other)?;
        other.vm.restore(&snapshot, WasiConfig::new())?;
        evil = other;
    }
    attack.works(&mut evil)?;
    attack.count(&evil.vm);
    Ok(())
}

fn ended(attack: &mut Attack) -> Result<()> {
    let (mut evil, snapshot) = prepared(attack)?;
    if let Ok(loaded) = evil.load(&Orders::new().call(Call::Panic, 0, &[])) {
        bail!("a guest that panicked goes on: {loaded:?}");
    }
    match evil.vm.snapshot() {
        Err(Error::Ended(end)) => attack.note(&end),
        Err(error) => bail!("{error}"),
        Ok(_) => bail!("there is a snapshot of a VM that has ended"),
    }
    evil.vm.restore(&snapshot, WasiConfig::new())?;
    has_what_was_kept(attack, &mut evil)?;
    attack.works(&mut evil)?;
    attack.count(&evil.vm);
    Ok(())
}

/// A program that counts in its memory, and would find another's count there.
fn program(attack: &mut Attack) -> Result<()> {
    const COUNTS: &str = r#"(module
        (memory (export "memory") 40)
        (func (export "run") (result i32)
            (i32.store (i32.const 2000000)
                (i32.add (i32.load (i32.const 2000000)) (i32.const 1)))
            (memory.fill (i32.const 4096) (i32.load (i32.const 2000000)) (i32.const 1000000))
            (i32.load8_u (i32.const 1000000)))
        (func (export "look") (result i32) (i32.load8_u (i32.const 1000000))))"#;
    let mut vm = attack.honest(WasiConfig::new())?;
    let loaded = vm.load(&wrt_vm::Module::from_text(COUNTS)?)?;
    let instance = vm.instantiate(loaded)?;
    let [run, look] = [vm.function(instance, "run")?, vm.function(instance, "look")?];
    ensure!(vm.call(&run, &[])? == [Value::I32(1)]);
    let snapshot = vm.snapshot()?;
    for _ in 0..3 {
        ensure!(vm.call(&run, &[])? == [Value::I32(2)]);
        // A worker's snapshot is for its own VM.
        if vm.worker().is_none() {
            let mut other = snapshot.vm(WasiConfig::new())?;
            ensure!(other.call(&look, &[])? == [Value::I32(1)], "another's write shows");
            ensure!(other.call(&run, &[])? == [Value::I32(2)]);
        }
        vm.restore(&snapshot, WasiConfig::new())?;
        ensure!(vm.call(&look, &[])? == [Value::I32(1)], "its own write shows");
    }
    attack.note(&"survived");
    attack.count(&vm);
    Ok(())
}

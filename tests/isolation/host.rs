//! The host under attack: a process that makes one case, and is judged.

use super::attack::{Attack, DEADLINE};
use super::case::{Case, Guests, Outcome};
use super::judge::{Footprint, Log, Panics};
use super::neighbour::{Sleeping, Working};
use anyhow::{Context as _, Result, ensure};
use std::time::{Duration, Instant};
use wrt_tests::Setup;
use wrt_vm::{EngineKind, WasiConfig};

/// Name of the folder, among temporary files, that a case gives to its guest.
pub(crate) const WORLD: &str = "world";
/// Log bytes that a case may cause, unless it says otherwise: those of the VMs that it makes.
const LOG_MAX: u64 = 64 << 10;
/// From here on neighbours must have moved while the case went on, not only after.
const LONG: Duration = Duration::from_secs(2);

/// Makes a case, and judges what it did to this process. Nothing else runs in it.
pub(crate) fn attack(case: &Case, setup: Setup) -> Outcome {
    let started = Instant::now();
    let mut attack = Attack::new(setup);
    let result = judged(case, &mut attack);
    Outcome {
        name: case.name.to_owned(),
        on: case.guests.on(setup),
        attacks: case.attacks.to_vec(),
        failure: result.err().map(|error| format!("{error:#}")),
        gap: attack.gap,
        skipped: None,
        end: attack.end,
        exits: attack.exits,
        seconds: started.elapsed().as_secs_f64(),
    }
}

fn judged(case: &Case, attack: &mut Attack) -> Result<()> {
    let panics = Panics::install();
    let log = Log::install();
    let setup = attack.setup;
    let mut sleeping = Sleeping::new(setup)?;
    let working = [
        Working::start(Setup { engine: EngineKind::Interp, ..setup })?,
        Working::start(Setup { engine: EngineKind::Native, ..setup })?,
    ];
    // What is made once in a process is made before it is counted.
    warm_up(case, setup)?;
    let before = Footprint::take()?;
    let logged = log.bytes();
    let steps = working.each_ref().map(Working::steps);
    let started = Instant::now();

    let made = (case.run)(attack);

    let took = started.elapsed();
    let moved = working.each_ref().map(Working::steps);
    // First what says most about why the attack went wrong.
    panics.check()?;
    attack.check().context("canaries")?;
    made?;
    if took > LONG {
        ensure!(moved.iter().zip(steps).all(|(now, then)| *now > then), "neighbours stood still");
    }
    for (neighbour, steps) in working.iter().zip(moved) {
        neighbour.passes(steps)?;
    }
    sleeping.check()?;
    let logged = log.bytes() - logged;
    ensure!(logged <= case.log_max.unwrap_or(LOG_MAX), "{logged} bytes were logged");
    attack.forget_canaries();
    Footprint::returns_to(&before)?;
    panics.check()
}

fn warm_up(case: &Case, setup: Setup) -> Result<()> {
    let mut attack = Attack::new(setup);
    match case.guests {
        Guests::Evil(_) => {
            let mut evil = attack.evil()?;
            attack.warm_up(&mut evil)?;
        }
        Guests::Honest => {
            let mut vm = attack.honest(WasiConfig::new())?;
            attack.run_text(
                &mut vm,
                r#"(module (import "wasi_snapshot_preview1" "poll_oneoff"
                        (func $poll (param i32 i32 i32 i32) (result i32)))
                    (memory (export "memory") 1)
                    (func (export "run") (result i32)
                        (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 512))))"#,
            )?;
            vm.set_deadline(Some(Instant::now() + DEADLINE));
            vm.reset()?;
        }
    }
    Ok(())
}

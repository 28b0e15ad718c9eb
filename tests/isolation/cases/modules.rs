//! Hostile modules in the honest guest: memory, time, and what engines trip over.

use super::{case, logging};
use crate::attack::Attack;
use crate::case::{Case, Guests};
use anyhow::{Result, bail, ensure};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use wrt_vm::error::{Interruption, TrapKind};
use wrt_vm::{Error, Module, Value, WasiConfig};

pub(super) const CASES: &[Case] = &[
    case("module-bounds", &[1, 2, 3], Guests::Honest, "accesses past the end of memory", bounds),
    case("module-grow", &[4, 5], Guests::Honest, "growing to the limit and beyond", grow),
    case("module-bulk", &[6], Guests::Honest, "bulk operations that wrap", bulk),
    case("module-tables", &[6], Guests::Honest, "tables past their ends, calls of nothing", tables),
    case("module-spins", &[43], Guests::Honest, "an endless loop, and endless growing", spins),
    case("module-recursion", &[30], Guests::Honest, "calls without end", recursion),
    logging(
        1 << 20,
        case("module-bombs", &[52], Guests::Honest, "modules too large in a way", bombs),
    ),
    case(
        "module-garbage",
        &[52],
        Guests::Honest,
        "bytes that only begin as a module does",
        garbage,
    ),
];

fn traps(attack: &mut Attack, text: &str, kind: TrapKind) -> Result<()> {
    let mut vm = attack.honest(WasiConfig::new())?;
    match attack.run_text(&mut vm, text) {
        Err(Error::Trap(trap)) if trap.kind == kind => attack.note(&trap.kind.message()),
        other => bail!("{text}: {other:?}"),
    }
    // The VM goes on.
    let one =
        attack.run_text(&mut vm, r#"(module (func (export "run") (result i32) i32.const 1))"#)?;
    ensure!(one == [Value::I32(1)], "{one:?}");
    Ok(())
}

fn bounds(attack: &mut Attack) -> Result<()> {
    let accesses = [
        "(drop (i32.load8_u (i32.const 65536)))",
        "(drop (i64.load (i32.const 65529)))",
        "(i64.store (i32.const 65529) (i64.const -1))",
        "(drop (i32.load offset=4294967295 (i32.const -1)))",
        "(i32.store offset=4294967295 (i32.const -1) (i32.const 1))",
        "(drop (v128.load (i32.const 65521)))",
        "(drop (i64.load (i32.const -8)))",
    ];
    for access in accesses {
        let text = format!(r#"(module (memory 1 1) (func (export "run") {access}))"#);
        traps(attack, &text, TrapKind::MemoryOutOfBounds)?;
    }
    Ok(())
}

fn grow(attack: &mut Attack) -> Result<()> {
    let mut vm = attack.honest(WasiConfig::new())?;
    // The limit is 64 MiB: 1,024 pages.
    let text = r#"(module (memory 1)
        (func (export "run") (result i32)
            (drop (memory.grow (i32.const 1023)))
            (i32.store8 (i32.const 0x3ffffff) (i32.const 1))
            (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
            (if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then unreachable))
            (memory.size)))"#;
    let size = attack.run_text(&mut vm, text)?;
    ensure!(size == [Value::I32(1024)], "{size:?}");
    let after = r#"(module (memory 1)
        (func (export "run")
            (drop (memory.grow (i32.const 0x8000)))
            (i32.store (i32.const 65536) (i32.const 1))))"#;
    traps(attack, after, TrapKind::MemoryOutOfBounds)?;
    let mut vm = attack.honest(WasiConfig::new())?;
    match attack.run_text(&mut vm, r#"(module (memory 1025) (func (export "run")))"#) {
        Err(Error::MemoryLimit { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

fn bulk(attack: &mut Attack) -> Result<()> {
    let operations = [
        "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))",
        "(memory.copy (i32.const -1) (i32.const 0) (i32.const 2))",
        "(memory.fill (i32.const 1) (i32.const 1) (i32.const -1))",
        "(memory.fill (i32.const -16) (i32.const 1) (i32.const 32))",
        "(memory.init 0 (i32.const 65535) (i32.const 0) (i32.const 2))",
        "(memory.init 0 (i32.const 0) (i32.const 3) (i32.const -1))",
        "(data.drop 0) (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1))",
    ];
    for operation in operations {
        let text =
            format!(r#"(module (memory 1 1) (data "abc") (func (export "run") {operation}))"#);
        traps(attack, &text, TrapKind::MemoryOutOfBounds)?;
    }
    Ok(())
}

fn tables(attack: &mut Attack) -> Result<()> {
    let module = |body: &str| {
        format!(
            r#"(module (type $t (func)) (table 2 2 funcref) (elem (i32.const 0) $other)
                (func $other (result i32) i32.const 1)
                (func (export "run") {body}))"#
        )
    };
    for (body, kind) in [
        ("(call_indirect (type $t) (i32.const 2))", TrapKind::TableOutOfBounds),
        ("(call_indirect (type $t) (i32.const -1))", TrapKind::TableOutOfBounds),
        ("(call_indirect (type $t) (i32.const 1))", TrapKind::IndirectCallToNull),
        ("(call_indirect (type $t) (i32.const 0))", TrapKind::BadSignature),
        ("(table.set (i32.const 9) (ref.null func))", TrapKind::TableOutOfBounds),
        ("(table.fill (i32.const 1) (ref.null func) (i32.const -1))", TrapKind::TableOutOfBounds),
    ] {
        traps(attack, &module(body), kind)?;
    }
    Ok(())
}

fn spins(attack: &mut Attack) -> Result<()> {
    for body in [
        "(loop $l br $l)",
        "(loop $l (drop (memory.grow (i32.const 0))) br $l)",
        "(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) br $l)",
    ] {
        let mut vm = attack.honest(WasiConfig::new())?;
        let text = format!(r#"(module (memory 1) (func (export "run") {body}))"#);
        let loaded = vm.load(&Module::from_text(&text)?)?;
        let instance = vm.instantiate(loaded)?;
        let run = vm.function(instance, "run")?;
        let started = Instant::now();
        vm.set_deadline(Some(started + Duration::from_millis(300)));
        match vm.call(&run, &[]) {
            Err(Error::Interrupted(Interruption::TimedOut)) => attack.note(&"timed out"),
            other => bail!("{body}: {other:?}"),
        }
        ensure!(started.elapsed() < crate::attack::LATE, "{:?}", started.elapsed());
        attack.count(&vm);
    }
    Ok(())
}

fn recursion(attack: &mut Attack) -> Result<()> {
    traps(
        attack,
        r#"(module (func $run (export "run") (result i64)
            (i64.add (call $run) (i64.const 1))))"#,
        TrapKind::StackOverflow,
    )
}

/// Modules with too much of something. They run or are refused; the VM is usable afterwards.
fn bombs(attack: &mut Attack) -> Result<()> {
    let mut deep = String::from(r#"(module (func (export "run")"#);
    deep.push_str(&" (block".repeat(2_000));
    deep.push_str(&")".repeat(2_000));
    deep.push_str("))");
    let mut wide = String::from(r#"(module (func (export "run") (block $b (br_table"#);
    wide.push_str(&" $b".repeat(50_000));
    wide.push_str(" (i32.const 0)))))");
    let mut locals = String::from("(module");
    for number in 0..200 {
        let _ = write!(locals, "(func $f{number} (local");
        locals.push_str(&" i64".repeat(10_000));
        locals.push_str("))");
    }
    locals.push_str(r#"(func (export "run")))"#);
    let mut functions = String::from("(module");
    functions.push_str(&"(func)".repeat(50_000));
    functions.push_str(r#"(func (export "run")))"#);
    let segment = format!(
        r#"(module (memory 1) (data (i32.const 0) "{}") (func (export "run")))"#,
        "a".repeat(1 << 20)
    );
    let table = r#"(module (table 4000000000 funcref) (func (export "run")))"#.to_owned();
    for (name, text) in [
        ("nesting", deep),
        ("a jump table", wide),
        ("locals", locals),
        ("functions", functions),
        ("a data segment", segment),
        ("a table", table),
    ] {
        let mut vm = attack.honest(WasiConfig::new())?;
        vm.set_deadline(Some(Instant::now() + Duration::from_secs(60)));
        match attack.run_text(&mut vm, &text) {
            Ok(_) => attack.note(&format!("{name}: ran")),
            Err(
                error @ (Error::InvalidModule { .. }
                | Error::MemoryLimit { .. }
                | Error::CannotCompile { .. }
                | Error::Trap(_)
                | Error::Ended(_)
                | Error::Failed(_)),
            ) => attack.note(&format!("{name}: {error}")),
            Err(error) => bail!("{name}: {error}"),
        }
        vm.reset()?;
        attack.run_text(&mut vm, r#"(module (func (export "run")))"#)?;
    }
    Ok(())
}

fn garbage(attack: &mut Attack) -> Result<()> {
    let mut vm = attack.honest(WasiConfig::new())?;
    let head = b"\0asm\x01\0\0\0";
    let mut state = 1_u64;
    for round in 0..60_usize {
        let mut bytes = head.to_vec();
        for _ in 0..round * 3 {
            state = wrt_evil::secret(state);
            bytes.push(state.to_le_bytes()[0]);
        }
        if round % 2 == 1 {
            // A section of a known kind and an odd length.
            bytes.splice(8..8, [u8::try_from(round % 14)?, 0xff, 0xff, 0xff, 0x0f]);
        }
        match vm.load(&Module::from_bytes(&bytes)?) {
            Ok(_) => {}
            Err(Error::InvalidModule { .. } | Error::CannotCompile { .. }) => {}
            Err(error) => bail!("round {round}: {error}"),
        }
    }
    attack.note(&"refused");
    attack.run_text(&mut vm, r#"(module (func (export "run")))"#)?;
    Ok(())
}

//! Requests that no honest runtime would make.

use super::{EVIL, case, logging};
use crate::attack::{Attack, by_protocol, world_folder};
use crate::case::Case;
use crate::orders::Orders;
use anyhow::{Result, ensure};
use wrt_abi::layout::{
    HEAP_BASE, HEAP_MAX, IMAGE_BASE, MAILBOX_BASE, REGION_BASE, REGION_COUNT, REGION_MAX,
    REGION_STRIDE, STACK_TOP, SYSTEM_BASE,
};
use wrt_abi::services::wasi::FunctionId;
use wrt_abi::services::{Import, ServiceId, log, word};
use wrt_abi::{ABI_VERSION, Call, LogLevel, Reply, Status};
use wrt_vm::error::VmEnd;
use wrt_vm::{Error, WasiConfig};

pub(super) const CASES: &[Case] = &[
    case("call-numbers", &[16], EVIL, "calls that there are not", numbers),
    case("call-states", &[28, 29], EVIL, "calls at times that are not theirs", states),
    case("call-last-words", &[46], EVIL, "panics with much and odd text", last_words),
    case("region-arguments", &[17, 18, 19, 20, 24], EVIL, "regions of odd sizes", region_arguments),
    case("region-count", &[47], EVIL, "more regions than there are", region_count),
    case("region-storm", &[51], EVIL, "regions that come, are filled and go", region_storm),
    case("region-limit", &[4, 51], EVIL, "more memory than allowed", region_limit),
    case("region-released", &[15, 27], EVIL, "memory that was given back", region_released),
    case("publish-data", &[9, 21], EVIL, "having data and modules made executable", publish),
    case("wasi-memory", &[17, 18, 19, 21], EVIL, "WASI calls on memory of all kinds", wasi_memory),
    case(
        "wasi-arguments",
        &[20, 22, 24, 26, 50],
        EVIL,
        "each function of each service, odd words",
        all_words,
    ),
    case(
        "wasi-vectors",
        &[22, 23],
        EVIL,
        "vectors that overlap, overflow and are endless",
        vectors,
    ),
    case("wasi-paths", &[25], EVIL, "paths that are no text, or much of it", paths),
    logging(
        8 << 20,
        case("log-flood", &[46], EVIL, "log lines, many and long, with escapes", log_flood),
    ),
    case("mailbox-lengths", &[28], EVIL, "payloads longer than the mailbox", lengths),
];

fn numbers(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for number in [0, 10, 11, 99, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        attack.ends(&mut evil, &Orders::new().call_as_it_is(number, 0), by_protocol)?;
    }
    for service in ServiceId::ALL {
        for number in [0x00ff, 0xffff, 0x10_0000, 0xffff_0000, 0xffff_ffff] {
            let word = word(*service as u32, 0, 0) | number;
            let call = Orders::new().call(Call::Service, 0, &[word]).report(12, 1);
            let report = attack.survives(&mut evil, &call)?;
            ensure!(report == [Status::Invalid as u64], "function {word:#x}: {report:x?}");
        }
    }
    for number in [11, 99, u64::from(u32::MAX), u64::MAX, 1 << 32] {
        let service = number.saturating_mul(1 << 32);
        let call = Orders::new().call(Call::Service, 0, &[service]).report(12, 1);
        let report = attack.survives(&mut evil, &call)?;
        ensure!(report == [Status::Invalid as u64], "service {service:#x}: {report:x?}");
        let log = Orders::new().function(log::FunctionId::Log.import(), 0, 0, &[number, 0, 0]);
        let report = attack.survives(&mut evil, &log.report(12, 1))?;
        ensure!(report == [Status::Trap as u64], "level {number}: {report:x?}");
        let done = Orders::new().call(Call::Done, 0, &[number]);
        attack.ends(&mut evil, &done, by_protocol)?;
    }
    Ok(())
}

fn states(attack: &mut Attack) -> Result<()> {
    // Before it is ready.
    let ours = u64::from(ABI_VERSION);
    for version in [0, ours - 1, ours + 1, u64::MAX] {
        let boot = Orders::new().call(Call::Ready, 0, &[version, 1]);
        let mut evil = attack.evil_in(&boot, WasiConfig::new())?;
        match evil.load(&Orders::new()) {
            Err(Error::Ended(VmEnd::AbiVersion { have, .. })) if have == version => {}
            other => anyhow::bail!("version {version}: {other:?}"),
        }
    }
    let done = Orders::new().call(Call::Done, 0, &[]);
    let mut evil = attack.evil_in(&done, WasiConfig::new())?;
    match evil.load(&Orders::new()) {
        Err(Error::Ended(VmEnd::Protocol(_))) => {}
        other => anyhow::bail!("done before it began: {other:?}"),
    }
    drop(evil);
    // Other calls are served, and the guest boots.
    for call in [Call::RegionReserve, Call::RegionCommit, Call::Service, Call::CodePublish] {
        let boot = Orders::new().set(0, u64::MAX).call_as_it_is(call as u32, 9);
        let mut evil = attack.evil_in(&boot, WasiConfig::new())?;
        attack.survives(&mut evil, &Orders::new())?;
    }
    // Once more when it is.
    let mut evil = attack.evil()?;
    attack.ends(&mut evil, &Orders::new().call(Call::Ready, 0, &[5, 1]), by_protocol)?;
    // The answer to a command that is over: the host has gone, and comes back with another.
    let twice = Orders::new().call(Call::Done, 0, &[]).call(Call::Done, 0, &[]);
    evil.load(&twice)?;
    evil.load(&Orders::new())?;
    attack.works(&mut evil)
}

fn last_words(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for (len, text) in [
        (0, ""),
        (64, "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n%n%s%@ \u{202e}desrever"),
        (16384, "\u{1b}"),
        (u32::MAX, "\0\0\0"),
    ] {
        let orders = Orders::new()
            .plant(MAILBOX_BASE + 256, 16128, 7)
            .set(4, MAILBOX_BASE + 256)
            .bytes(4, 0, text.as_bytes())
            .call(Call::Panic, len, &[]);
        attack.ends(&mut evil, &orders, |end| match end {
            VmEnd::Panic(text) => {
                text.len() <= 3 * 4096
                    && text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}')
            }
            _ => false,
        })?;
    }
    for wanted in [0, u64::MAX] {
        let orders = Orders::new().call(Call::OutOfMemory, 0, &[wanted]);
        attack.ends(&mut evil, &orders, |end| *end == VmEnd::OutOfMemory { wanted })?;
    }
    Ok(())
}

/// Words that arithmetic goes wrong with.
const ODD: [u64; 22] = [
    0,
    1,
    7,
    4095,
    0x4001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    (1 << 32) + 1,
    REGION_MAX - 1,
    REGION_MAX + 1,
    REGION_STRIDE,
    REGION_BASE - 1,
    REGION_BASE + 1,
    REGION_BASE + REGION_COUNT * REGION_STRIDE,
    HEAP_BASE + 4096,
    HEAP_BASE + HEAP_MAX,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

fn region_arguments(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for &len in ODD.iter().filter(|&&len| len > 2 << 30) {
        let orders = Orders::new().call(Call::RegionReserve, 0, &[len]).report(12, 1);
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report == [Status::Refused as u64], "a region of {len:#x} bytes: {report:x?}");
    }
    for &base in &ODD {
        // None of these is where a region begins, or where the heap does.
        for &len in &ODD {
            let orders = Orders::new()
                .call(Call::RegionCommit, 0, &[base, len, len])
                .report(12, 1)
                .call(Call::RegionRelease, 0, &[base])
                .report(12, 1)
                .call(Call::CodePublish, 0, &[base, len])
                .report(12, 1);
            let report = attack.survives(&mut evil, &orders)?;
            let invalid = Status::Invalid as u64;
            ensure!(report == [invalid; 3], "{base:#x}, {len:#x}: {report:x?}");
        }
    }
    // The heap takes sizes, and no more than there may be.
    for &len in &ODD {
        let orders = Orders::new().call(Call::RegionCommit, 0, &[HEAP_BASE, len, 0]).report(12, 3);
        let report = attack.survives(&mut evil, &orders)?;
        let granted = report[0] == Status::Ok as u64 && report[2] >= len && report[2] <= HEAP_MAX;
        ensure!(granted || report[0] == Status::Refused as u64, "{len:#x}: {report:x?}");
    }
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn region_count(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let reserve = Orders::new().call(Call::RegionReserve, 0, &[0]).repeat(1, 1100).report(12, 1);
    let report = attack.survives(&mut evil, &reserve)?;
    ensure!(report == [Status::Refused as u64], "there is no end of regions: {report:x?}");
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn region_storm(attack: &mut Attack) -> Result<()> {
    const LEN: u64 = 4 << 20;
    let mut evil = attack.evil()?;
    let before = crate::judge::resident()?;
    // Sixteen operations: twelve to set arguments, one to call, and so on.
    let once = Orders::new()
        .call(Call::RegionReserve, 0, &[LEN])
        .add(6, 14, 0)
        .plant_at(6, 0, LEN, 5)
        .add(0, 6, 0)
        .call_as_it_is(Call::RegionRelease as u32, 0);
    let steps = u32::try_from(once.len())?;
    let report = attack.survives(&mut evil, &once.repeat(steps, 100).report(12, 1))?;
    ensure!(report == [Status::Ok as u64], "{report:x?}");
    let more = crate::judge::resident()?.saturating_sub(before) >> 20;
    ensure!(more < 64, "{more} MiB are resident after all was given back");
    attack.count(&evil.vm);
    Ok(())
}

fn region_limit(attack: &mut Attack) -> Result<()> {
    /// What the attack's guests may have, and the engine's own on top.
    const LIMIT: u64 = (64 << 20) + (1 << 30);
    let mut evil = attack.evil()?;
    let reserve = Orders::new().call(Call::RegionReserve, 0, &[48 << 20]);
    let reserve = reserve.repeat(1, 60).report(12, 1);
    let report = attack.survives(&mut evil, &reserve)?;
    ensure!(report == [Status::Refused as u64], "{report:x?}");
    let step = Orders::new().call(Call::RegionCommit, 0, &[REGION_BASE, 1 << 40, 1 << 40]);
    attack.survives(&mut evil, &step)?;
    for megabytes in (16..1200).step_by(16) {
        let len = megabytes << 20;
        let orders = Orders::new().call(Call::RegionCommit, 0, &[REGION_BASE, len, u64::MAX]).call(
            Call::RegionCommit,
            0,
            &[HEAP_BASE, len, u64::MAX],
        );
        attack.survives(&mut evil, &orders)?;
    }
    let mapped = evil.vm.usage().mapped;
    ensure!(mapped <= LIMIT, "{mapped} bytes are mapped");
    ensure!(mapped > LIMIT - (80 << 20), "the limit was not tried: {mapped} bytes are mapped");
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn region_released(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let orders = Orders::new()
        .call(Call::RegionReserve, 0, &[1 << 20])
        .add(6, 14, 0)
        .plant_at(6, 0, 1 << 20, 9)
        .add(0, 6, 0)
        .call_as_it_is(Call::RegionRelease as u32, 0)
        .report(12, 1)
        // Again, then used by the guest and by the host.
        .add(0, 6, 0)
        .call_as_it_is(Call::RegionRelease as u32, 0)
        .report(12, 1)
        .put_at(3, 6, 0, 1)
        .report_faults()
        .set(0, FunctionId::RandomGet.import().word())
        .add(1, 6, 0)
        .set(2, 1 << 20)
        .set(3, 0)
        .set(4, 4096)
        .call_as_it_is(Call::Service as u32, 0)
        .report(12, 1);
    let report = attack.survives(&mut evil, &orders)?;
    let [released, again, vector, _, faults, used] = report[..] else {
        anyhow::bail!("{report:x?}")
    };
    ensure!(released == Status::Ok as u64 && again == Status::Invalid as u64, "{report:x?}");
    let access = attack.processor().access;
    ensure!([vector, faults] == [access, 1], "memory that was given back is there: {report:x?}");
    ensure!(used == Status::Invalid as u64, "the host uses what was given back: {report:x?}");
    Ok(())
}

fn publish(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // Orders are a module: data. Its own region is data, too.
    let module = REGION_BASE + REGION_STRIDE;
    let places =
        [module, module + 4096, REGION_BASE, HEAP_BASE, MAILBOX_BASE, IMAGE_BASE, SYSTEM_BASE];
    for base in places {
        for len in [0, 4096, 16384, !4095] {
            let orders = Orders::new()
                .call(Call::CodePublish, 0, &[base, len])
                .report(12, 1)
                .jump(base)
                .report_faults();
            let report = attack.survives(&mut evil, &orders)?;
            ensure!(report[0] == Status::Invalid as u64, "{base:#x}, {len:#x}: {report:x?}");
            ensure!(report[3] == 1, "{base:#x} is executed: {report:x?}");
        }
    }
    Ok(())
}

fn wasi_memory(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    const LEN: u64 = 0x1_0000;
    let own = attack
        .survives(&mut evil, &Orders::new().call(Call::RegionReserve, 0, &[LEN]).report(14, 1))?[0];
    let call = |base: u64, len: u64| {
        Orders::new().function(FunctionId::RandomGet.import(), base, len, &[0, 64]).report(12, 1)
    };
    ensure!(attack.survives(&mut evil, &call(own, LEN))? == [Status::Ok as u64], "it is its own");
    let module = REGION_BASE + REGION_STRIDE;
    let mut wrong: Vec<(u64, u64)> = vec![
        (own, LEN + 1),
        (own, LEN + 0x4000),
        (own + 1, LEN),
        (own, REGION_MAX),
        (own, REGION_STRIDE),
        (own, u64::MAX),
        (own, u64::MAX - own + 1),
        (own, u64::MAX - own + 1 + 64),
        (own - 64, 128),
        (own + LEN, 1),
        (REGION_BASE, 64),
        (HEAP_BASE - 64, 128),
        (HEAP_BASE, HEAP_MAX + 1),
        (HEAP_BASE, u64::MAX),
        (HEAP_BASE, REGION_BASE),
    ];
    let not_its = [module, IMAGE_BASE, MAILBOX_BASE, SYSTEM_BASE, STACK_TOP - 64, 0, u64::MAX];
    wrong.extend(not_its.map(|base| (base, 64)));
    wrong.extend(
        ODD.map(|base| (base, 64)).into_iter().filter(|(base, _)| *base != HEAP_BASE + 4096),
    );
    for (base, len) in wrong {
        let report = attack.survives(&mut evil, &call(base, len))?;
        ensure!(report == [Status::Invalid as u64], "{base:#x}, {len:#x}: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

/// A world with something of everything, and the memory for calls in it.
fn worldly(attack: &mut Attack) -> Result<(crate::attack::Evil, u64)> {
    let folder = world_folder()?;
    std::fs::write(folder.join("file"), b"contents")?;
    let world =
        WasiConfig::new().args(["program", "argument"]).env("NAME", "value").dir(&folder, "/world");
    let mut evil = attack.evil_in(&Orders::new(), world)?;
    let reserve = Orders::new().call(Call::RegionReserve, 0, &[MEMORY]).report(14, 1);
    let base = attack.survives(&mut evil, &reserve)?[0];
    Ok((evil, base))
}

/// Bytes of the memory for calls.
const MEMORY: u64 = 1 << 20;

fn all_words(attack: &mut Attack) -> Result<()> {
    let (mut evil, base) = worldly(attack)?;
    let words = [
        0,
        1,
        3,
        8,
        13,
        MEMORY - 1,
        MEMORY,
        MEMORY + 1,
        0x7fff_ffff,
        0x8000_0000,
        0xffff_ffff,
        0x1_0000_0000,
        i64::MAX as u64,
        u64::MAX,
    ];
    for (seed, import) in (0..).zip(Import::all()) {
        let mut orders = Orders::new().plant(base, 4096, seed);
        for round in 0..words.len() * 2 {
            let mut args = Vec::new();
            for (number, _) in import.function().params.iter().enumerate() {
                // The same everywhere, and then a mixture.
                let which = if round < words.len() { round } else { round * (number + 3) + number };
                args.push(words[which % words.len()]);
            }
            orders = orders.function(import, base, MEMORY, &args).report(12, 1);
        }
        // Relative sleeps have no end but the deadline's; `files-sleeps` has those.
        if import == FunctionId::PollOneoff.import() {
            continue;
        }
        let report = attack.survives(&mut evil, &orders)?;
        let known = report.iter().all(|&status| Status::try_from(status).is_ok());
        ensure!(
            known && report.len() == words.len() * 2,
            "{}: {report:x?}",
            import.function().name
        );
    }
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn vectors(attack: &mut Attack) -> Result<()> {
    let (mut evil, base) = worldly(attack)?;
    let arrays: [&[u32]; 6] = [
        // Each is the whole memory; the sum is more than 32 bits.
        &[0, 0xf_ffff],
        // Each wraps.
        &[0xffff_fff0, 0x20],
        // Each is the array itself.
        &[0x1000, 0x1000],
        &[0, u32::MAX],
        &[0xf_ffff, 2],
        &[u32::MAX, u32::MAX],
    ];
    for function in
        [FunctionId::FdRead, FunctionId::FdWrite, FunctionId::FdPread, FunctionId::FdPwrite]
    {
        for array in arrays {
            let bytes: Vec<u8> = array.iter().flat_map(|word| word.to_le_bytes()).collect();
            let many = bytes.repeat(512);
            for count in [1, 2, 512, 513, 1025, 0x1_0000, 0x1fff_ffff, 0x2000_0000, u32::MAX] {
                for descriptor in [0, 1, 3] {
                    let args = [descriptor, 0x1000, count.into(), 0, 0x1004];
                    let orders = Orders::new()
                        .set(4, base + 0x1000)
                        .bytes(4, 0, &many)
                        .function(function.import(), base, MEMORY, &args)
                        .report(12, 1);
                    let report = attack.survives(&mut evil, &orders)?;
                    ensure!(Status::try_from(report[0]).is_ok(), "{report:x?}");
                }
            }
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn paths(attack: &mut Attack) -> Result<()> {
    let (mut evil, base) = worldly(attack)?;
    let long = vec![b'a'; 1 << 19];
    let deep = b"a/".repeat(1 << 18);
    let texts: [&[u8]; 9] = [
        b"",
        b"\0",
        b"fi\0le",
        b"\xff\xfe",
        b"\xc0\xaf../\xed\xa0\x80",
        b"..",
        b"/etc/passwd",
        &long,
        &deep,
    ];
    for text in texts {
        let len = text.len() as u64;
        let orders = Orders::new().set(4, base + 0x1000).bytes(4, 0, text);
        let mut orders = orders;
        for function in [
            FunctionId::PathCreateDirectory,
            FunctionId::PathFilestatGet,
            FunctionId::PathLink,
            FunctionId::PathOpen,
            FunctionId::PathReadlink,
            FunctionId::PathRemoveDirectory,
            FunctionId::PathRename,
            FunctionId::PathSymlink,
            FunctionId::PathUnlinkFile,
        ] {
            // Descriptor, flags if there are any, path; what follows is odd in any case.
            let (a, b) = (0x1000, len);
            let args = match function {
                FunctionId::PathFilestatGet => [3, 1, a, b, 0, 0, 0, 0, 0],
                FunctionId::PathLink => [3, 1, a, b, 3, a, b, 0, 0],
                FunctionId::PathOpen => [3, 1, a, b, 1, u64::MAX, u64::MAX, 0, 0],
                FunctionId::PathSymlink => [a, b, 3, a, b, 0, 0, 0, 0],
                FunctionId::PathRename => [3, a, b, 3, a, b, 0, 0, 0],
                FunctionId::PathReadlink => [3, a, b, 0, 64, 0, 0, 0, 0],
                _ => [3, a, b, 0, 0, 0, 0, 0, 0],
            };
            orders = orders.function(function.import(), base, MEMORY, &args).report(12, 3);
        }
        let report = attack.survives(&mut evil, &orders)?;
        for outcome in report.chunks_exact(3) {
            let refused = match Status::try_from(outcome[0]) {
                Ok(Status::Ok) => outcome[2] != 0,
                Ok(Status::Trap) => true,
                _ => false,
            };
            ensure!(refused, "{} bytes of path: {report:x?}", text.len());
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn log_flood(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let reserve = Orders::new().call(Call::RegionReserve, 0, &[MEMORY]).report(14, 1);
    let base = attack.survives(&mut evil, &reserve)?[0];
    let text = b"\x1b[2J%n%s%@\n\r".repeat(1300);
    // All of its memory, of which the first bytes are text.
    let log = log::FunctionId::Log.import();
    let line = Orders::new().set(4, base).bytes(4, 0, &text).function(
        log,
        base,
        MEMORY,
        &[LogLevel::Error as u64, 0, MEMORY],
    );
    // Fifty megabytes in all, if they were kept: the judge looks at how much was logged.
    let report = attack.survives(&mut evil, &line.repeat(1, 3_000).report(12, 1))?;
    ensure!(report == [Status::Ok as u64], "{report:x?}");
    attack.count(&evil.vm);
    Ok(())
}

fn lengths(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for len in [16128, 16129, 16384, 0x8000_0000, u32::MAX] {
        let yields = [FunctionId::SchedYield.import().word()];
        let call = Orders::new().call(Call::Service, len, &yields).report(12, 1);
        let report = attack.survives(&mut evil, &call)?;
        ensure!(report == [Status::Ok as u64], "{report:x?}");
        let done = Orders::new().call(Call::Done, len, &[Reply::Failed as u64]);
        match evil.load(&done) {
            // An escaped character takes ten bytes at most.
            Err(Error::Failed(text)) => ensure!(text.len() <= 11 * 4096, "{} bytes", text.len()),
            other => anyhow::bail!("{other:?}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

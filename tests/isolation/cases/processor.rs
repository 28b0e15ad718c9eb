//! What an attacker has who owns both rings: instructions, registers, exceptions; and what there
//! is of that on x86 alone. `arm.rs` has the other.

use super::{EVIL, RINGS, case, logging, x86};
use crate::arch::settings;
use crate::attack::{Attack, Evil, by_exception, by_exit};
use crate::case::Case;
use crate::orders::Orders;
use anyhow::{Context as _, Result, bail, ensure};
use wrt_abi::Call;
use wrt_abi::layout::{X86_FAULT_PORT, X86_MAILBOX_PORT};
use wrt_abi::services::wasi::FunctionId;
use wrt_evil::{Policy, X86};
use wrt_vm::Error;
use wrt_vm::error::VmEnd;
use wrt_vm::hypervisor::Exit;

pub(super) const CASES: &[Case] = &[
    x86(MSRS, case("cpu-msrs", &[58], RINGS, "model-specific registers", msrs)),
    x86(OTHERS, case("cpu-clocks", &[58], EVIL, "time stamps and performance counters", clocks)),
    x86(
        OTHERS,
        case("cpu-denied", &[58], RINGS, "instructions of features that are denied", denied),
    ),
    x86(
        "an Arm's registers of identity are read by EL1 alone, and are what the hypervisor shows",
        case("cpu-identity", &[58], RINGS, "what the processor says of itself", identity),
    ),
    x86(
        TABLES,
        // A line for each module, of which each instruction takes four.
        logging(
            256 << 10,
            case(
                "cpu-all-ring-3",
                &[58],
                EVIL,
                "every instruction of the table in ring 3",
                all_ring_3,
            ),
        ),
    ),
    x86(
        TABLES,
        case(
            "cpu-all-ring-0",
            &[29, 58],
            RINGS,
            "every instruction of the table in ring 0",
            all_ring_0,
        ),
    ),
    x86(
        "an Arm has its vectors in all levels alike: `arm-all-el1`",
        case("cpu-vectors-ring-0", &[58], RINGS, "vector registers in ring 0", vectors_ring_0),
    ),
    x86(
        "`arm-modes` has an Arm's",
        case("cpu-modes", &[29], RINGS, "control registers that turn paging and more off", modes),
    ),
    case("cpu-registers", &[31], EVIL, "a call with garbage in every register", registers),
    case(
        "cpu-handlers",
        &[10, 44],
        RINGS,
        "handlers that fault, halt, spin and get lost",
        handlers,
    ),
    x86(PORTS, case("ports-ring-3", &[58], RINGS, "every port, from ring 3", ports_ring_3)),
    x86(
        PORTS,
        case("ports-ring-0", &[58], RINGS, "ports of every width, from ring 0", ports_ring_0),
    ),
    x86(PORTS, case("ports-strings", &[58], RINGS, "strings to and from ports", strings)),
];

const TABLES: &str = "an Arm has a table of its own: `arm-all-el0` and `arm-all-el1`";
const MSRS: &str = "an Arm has system registers: `arm-registers-el0` and `arm-registers-el1`";
const OTHERS: &str = "an Arm has others: `arm-clocks`, `arm-denied`";
const PORTS: &str = "an Arm has no ports: `arm-hvc` and `arm-doorbell` are about what it has";

fn msrs(attack: &mut Attack) -> Result<()> {
    // Intel SDM volume 4, chapter 2; AMD APM volume 2, appendix A; KVM's and Hyper-V's own.
    const MSRS: &[u64] = &[
        0x10,
        0x1b,
        0x3a,
        0x48,
        0x49,
        0x79,
        0x8b,
        0xc1,
        0xce,
        0xfe,
        0x10a,
        0x174,
        0x175,
        0x176,
        0x186,
        0x19c,
        0x1a0,
        0x1d9,
        0x1fc,
        0x200,
        0x277,
        0x2ff,
        0x309,
        0x38f,
        0x3f1,
        0x480,
        0x48b,
        0x570,
        0x600,
        0x6a0,
        0x6a2,
        0x6e0,
        0x802,
        0x830,
        0xc80,
        0xd90,
        0xda0,
        0x4000_0000,
        0x4000_0020,
        0x4b56_4d00,
        0x4b56_4d01,
        0x4b56_4d02,
        0xc000_0080,
        0xc000_0081,
        0xc000_0082,
        0xc000_0083,
        0xc000_0084,
        0xc000_0100,
        0xc000_0101,
        0xc000_0102,
        0xc000_0103,
        0xc000_0104,
        0xc001_0015,
        0xc001_0117,
        0xc001_0131,
        0xffff_ffff,
    ];
    let mut evil = attack.evil()?;
    for &msr in MSRS {
        let orders = Orders::new()
            .set(1, msr)
            .privileged(X86::Rdmsr, 0, 0)
            .report_faults()
            .set(1, msr)
            .privileged(X86::Wrmsr, 0x0606_0606, 0x0606_0606)
            .report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let [read, _, reads, write, _, writes] = report[..] else { bail!("{report:x?}") };
        ensure!([read, reads] == [13, 1], "register {msr:#x} can be read: {report:x?}");
        ensure!([write, writes] == [13, 1], "register {msr:#x} can be written: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

/// Has an instruction executed in ring 3, and says by which exception it ended, if it did.
fn vector(attack: &mut Attack, evil: &mut Evil, of: X86) -> Result<Option<u64>> {
    let orders = Orders::new().set(1, 0).instruction(of, 0, 0).report_faults();
    match evil.run(&orders) {
        Ok(report) => match report[..] {
            [_, _, 0] => Ok(None),
            [vector, ..] => Ok(Some(vector)),
            _ => bail!("{report:x?}"),
        },
        Err(Error::Ended(VmEnd::Exception(exception))) => {
            attack.works(evil)?;
            Ok(Some(exception.vector))
        }
        Err(error) => bail!("{of:?}: {error}"),
    }
}

fn clocks(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for of in [X86::Rdtsc, X86::Rdtscp, X86::Rdpmc] {
        let by = vector(attack, &mut evil, of)?;
        if !matches!(by, Some(6 | 13)) {
            attack.gap(format!("{of:?} is not denied"))?;
        }
    }
    Ok(())
}

fn denied(attack: &mut Attack) -> Result<()> {
    const DENIED: &[X86] = &[
        X86::Hlt,
        X86::Cli,
        X86::Sti,
        X86::Rdmsr,
        X86::Wrmsr,
        X86::Lgdt,
        X86::Lidt,
        X86::Lldt,
        X86::Ltr,
        X86::Lmsw,
        X86::Clts,
        X86::ReadCr0,
        X86::WriteCr0,
        X86::ReadCr3,
        X86::WriteCr3,
        X86::ReadCr4,
        X86::WriteCr4,
        X86::ReadDr0,
        X86::WriteDr7,
        X86::Invd,
        X86::Wbinvd,
        X86::Invlpg,
        X86::Swapgs,
        X86::Syscall,
        X86::Sysret,
        X86::Sysenter,
        X86::Sysexit,
        X86::Vmxon,
        X86::Vmlaunch,
        X86::Vmrun,
        X86::Stgi,
        X86::Skinit,
        X86::Getsec,
        X86::Encls,
        X86::Rsm,
        X86::Xsetbv,
        X86::Int3,
        X86::Int80,
        X86::IntDoubleFault,
        X86::IntPageFault,
        X86::In8,
        X86::In32,
    ];
    let mut evil = attack.evil()?;
    for &of in DENIED {
        let by = vector(attack, &mut evil, of)?;
        ensure!(by.is_some(), "{of:?} is not denied");
    }
    attack.count(&evil.vm);
    Ok(())
}

fn identity(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let leaf = |leaf: u64| Orders::new().set(1, 0).instruction(X86::Cpuid, leaf, 0).report(0, 4);
    let mut ask = |number| attack.survives(&mut evil, &leaf(number));
    // Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E.
    let one = ask(1)?;
    if one[0] != 0 {
        // The processor always leaves a VM for this; what comes back is ours.
        return attack.gap(format!("CPUID is the machine's own, model {:#x}", one[0]));
    }
    let denied = one[1] & (1 << 5 | 1 << 27 | 1 << 28 | 1 << 31);
    if denied != 0 {
        return attack.gap(format!("CPUID shows VMX, OSXSAVE, AVX or a hypervisor: {:#x}", one[1]));
    }
    for number in [0x4000_0000, 0x4000_0001, 0x4000_0100] {
        let leaf = ask(number)?;
        let text: Vec<u8> = leaf.iter().flat_map(|word| word.to_le_bytes()).collect();
        let found = |name: &[u8]| text.windows(name.len()).any(|window| window == name);
        // Registers come as words of 64 bits: names are in pieces.
        ensure!(!found(b"KVMK") && !found(b"Micr"), "leaf {number:#x} names the hypervisor");
    }
    let extended = ask(0x8000_0001)?;
    ensure!(extended[1] & (1 << 2) == 0, "SVM");
    Ok(())
}

/// Any way on but one that the host did not mean.
fn sweep(attack: &mut Attack, ring_0: bool) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let mut ends = 0;
    let processor = attack.processor();
    for of in 0..processor.instructions {
        let name = (processor.name)(of);
        for (word, address) in
            [(0, 0), (scratch, scratch), (u64::MAX, scratch + 0x1000), (0, 1 << 63)]
        {
            let operands = Orders::new()
                .set(0, word)
                .set(1, 16)
                .set(2, address)
                .set(3, 0)
                .set(4, scratch)
                .set(5, scratch + 64);
            let orders = match ring_0 {
                true => operands.privileged_as_it_is(of),
                false => operands.instruction_as_it_is(of),
            };
            evil.vm
                .set_deadline(Some(std::time::Instant::now() + std::time::Duration::from_secs(2)));
            match evil.vm.load(&orders.report_faults().module()?) {
                Ok(_) => {}
                // A kernel may refuse to go on with a process whose registers are odd.
                Err(Error::Ended(VmEnd::Hypervisor(text))) if attack.has_rings() => {
                    bail!("{name}: {text}")
                }
                Err(Error::Ended(_) | Error::Interrupted(_)) => {
                    ends += 1;
                    evil.vm.reset()?;
                }
                Err(error) => bail!("{name}: {error}"),
            }
        }
        attack.works(&mut evil).with_context(|| name)?;
    }
    attack.note(&format!("{ends} ends"));
    attack.count(&evil.vm);
    Ok(())
}

pub(super) fn all_ring_3(attack: &mut Attack) -> Result<()> {
    sweep(attack, false)
}

pub(super) fn all_ring_0(attack: &mut Attack) -> Result<()> {
    sweep(attack, true)
}

fn vectors_ring_0(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for of in [X86::LoadXmm0, X86::DivideVectors, X86::LoadYmm0, X86::LoadZmm31, X86::Fxrstor] {
        let orders = Orders::new().privileged(of, 0, 0).report_faults();
        match evil.run(&orders) {
            Ok(report) => attack.note(&format!("{report:x?}")),
            // Where ring 0 is emulated, and the emulator has no such thing.
            Err(Error::Ended(VmEnd::BadExit(exit @ Exit::Failed { .. }))) => {
                attack.note(&format!("{exit:?}"));
            }
            Err(error) => bail!("{of:?}: {error}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn modes(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let usual_cr0 = 0x8001_0033;
    for (of, values) in [
        // Without paging, protection, with caches off, with reserved bits.
        (X86::WriteCr0, &[0, 0x11, 0x33, usual_cr0 | 1 << 30, usual_cr0 | 1 << 29, u64::MAX][..]),
        // Without long mode's needs; virtualisation, time stamps, XSAVE, keys, shadow stacks.
        (
            X86::WriteCr4,
            &[0, 0x20, 0x620, 0x2620, 0x4_0620, 0x40_0620, 0x80_0620, 1 << 12, u64::MAX],
        ),
        (X86::WriteCr8, &[15, u64::MAX]),
        (X86::WriteDr7, &[0x400, 0x2400, 0xffff_ffff, u64::MAX]),
    ] {
        for &value in values {
            let orders = Orders::new()
                .privileged(of, value, 0)
                .instruction(X86::Rdtsc, 0, 0)
                .privileged_as_it_is(X86::Xsetbv)
                .call(Call::RegionReserve, 0, &[4096])
                .report_faults();
            match evil.run(&orders) {
                Ok(report) => attack.note(&format!("{of:?} {value:#x}: {report:x?}")),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("{of:?} {value:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn registers(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let before = settings();
    for seed in 0..64 {
        // What the mailbox holds is still the last request, a WASI call.
        let orders = Orders::new()
            .function(FunctionId::ArgsGet.import(), u64::MAX, u64::MAX, &[])
            .registers(seed)
            .registers(seed + 1)
            .call(Call::RegionReserve, 0, &[0])
            .report(12, 1);
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report == [0], "{report:x?}");
        ensure!(settings() == before, "the host has the guest's: {:x?}", settings());
        // Rounded as the host has it.
        let third = std::hint::black_box(1.0_f64) / std::hint::black_box(3.0);
        ensure!(third.to_bits() == 0x3fd5_5555_5555_5555, "{third}");
    }
    attack.count(&evil.vm);
    Ok(())
}

fn handlers(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let undefined = attack.processor().undefined;
    let wrong = |policy| Orders::new().policy(policy).instruction(undefined, 0, 0);
    attack.ends(&mut evil, &wrong(Policy::Report), |end| matches!(end, VmEnd::Exception(_)))?;
    attack.halts(&mut evil, &wrong(Policy::Halt))?;
    attack.times_out(&mut evil, &wrong(Policy::Spin))?;
    let over = |end: &VmEnd| {
        by_exception(end)
            || matches!(end, VmEnd::BadExit(Exit::Failed { .. } | Exit::Killed { .. }))
    };
    attack.is_lost(&mut evil, &wrong(Policy::Fault), over)?;
    // The mailbox from ring 0, again and again.
    let storm = Orders::new().call(Call::RegionRelease, 0, &[1]).and(&wrong(Policy::Storm));
    attack.times_out(&mut evil, &storm)?;
    let lost = |end: &VmEnd| over(end) || matches!(end, VmEnd::BadExit(_));
    match evil.load(&wrong(Policy::Lost)) {
        Err(Error::Ended(end)) if lost(&end) => attack.note(&end),
        Err(Error::Interrupted(_)) => {}
        other => bail!("lost: {other:?}"),
    }
    attack.works(&mut evil)
}

fn ports_ring_3(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let faults = |report: &[u64]| report.get(2).copied().unwrap_or(0);
    // One of these ports is open. What it delivers is a call that does nothing.
    let sweep = Orders::new()
        .call(Call::RegionRelease, 0, &[1])
        .set(2, 0)
        .instruction_as_it_is(X86::Out8)
        .add(2, 2, 1)
        .repeat(2, 0x1fff)
        .report_faults();
    let report = attack.survives(&mut evil, &sweep)?;
    ensure!(faults(&report) == 0x1fff, "of 8,192 ports {} are closed", faults(&report));
    for of in [X86::Out16, X86::Out32, X86::In8, X86::In16, X86::In32] {
        for port in [0, 0x60, 0x9fd, 0x9fe, 0x9ff, 0xa01, X86_FAULT_PORT.into(), 0xcf8, 0xffff] {
            let orders = Orders::new().instruction(of, 0, port).report_faults();
            let report = attack.survives(&mut evil, &orders)?;
            ensure!(faults(&report) == 1, "{of:?} of port {port:#x}: {report:x?}");
        }
    }
    // Wider than the one bit that is clear: the bitmap denies it. A read is none of ours.
    for of in [X86::Out16, X86::Out32] {
        let orders = Orders::new().instruction(of, 0, X86_MAILBOX_PORT.into()).report_faults();
        ensure!(faults(&attack.survives(&mut evil, &orders)?) == 1, "{of:?}");
    }
    let read = Orders::new().instruction(X86::In8, 0, X86_MAILBOX_PORT.into());
    attack.ends(
        &mut evil,
        &read,
        by_exit(|exit| matches!(exit, Exit::Port { write: false, .. })),
    )?;
    attack.count(&evil.vm);
    Ok(())
}

fn ports_ring_0(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let ports = [
        0_u16, 0x20, 0x60, 0x64, 0x70, 0x80, 0x92, 0xb2, 0x3f8, 0x402, 0x510, 0x5658, 0x9ff, 0xa01,
        0xcf8, 0xcf9, 0xffff,
    ];
    for port in ports {
        for (of, width, write) in [
            (X86::Out8, 1, true),
            (X86::Out16, 2, true),
            (X86::Out32, 4, true),
            (X86::In8, 1, false),
            (X86::In16, 2, false),
            (X86::In32, 4, false),
        ] {
            let expected = by_exit(move |exit| exit == Exit::Port { port, width, write });
            // From ring 0, and from ring 3 with all ports open.
            attack.ends(&mut evil, &Orders::new().privileged(of, 0, port.into()), &expected)?;
            let open = Orders::new().privileged_as_it_is(X86::OpenPorts);
            let open = open.instruction(of, 0, port.into()).report_faults();
            match evil.run(&open) {
                Err(Error::Ended(end)) if expected(&end) => {}
                // Flags are put back before the instruction: then they are closed as ever.
                Ok(report) => ensure!(report[2] == 1, "{report:x?}"),
                Err(error) => bail!("{of:?} of port {port:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    for (of, port) in [(X86::Out16, X86_MAILBOX_PORT), (X86::Out32, X86_FAULT_PORT)] {
        let other = by_exit(move |exit| matches!(exit, Exit::Port { port: at, .. } if at == port));
        attack.ends(&mut evil, &Orders::new().privileged(of, 0, port.into()), other)?;
    }
    // An exception's report without an exception.
    let forged = Orders::new().privileged(X86::Out8, 0, X86_FAULT_PORT.into());
    attack.ends(&mut evil, &forged, by_exception)?;
    attack.count(&evil.vm);
    Ok(())
}

fn strings(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    for count in [1, 2, 4096, 1 << 32, u64::MAX] {
        for (of, port) in [
            (X86::RepOuts8, u64::from(X86_MAILBOX_PORT)),
            (X86::RepOuts32, X86_MAILBOX_PORT.into()),
            (X86::RepIns8, X86_MAILBOX_PORT.into()),
            (X86::RepIns32, 0x60),
            (X86::RepOuts8, X86_FAULT_PORT.into()),
        ] {
            for ring_0 in [false, true] {
                let orders = Orders::new()
                    .call(Call::RegionRelease, 0, &[1])
                    .set(0, 0)
                    .set(1, count)
                    .set(2, port)
                    .set(4, scratch)
                    .set(5, scratch);
                let orders = match ring_0 {
                    true => orders.privileged_as_it_is(of),
                    false => orders.instruction_as_it_is(of),
                };
                let limit = std::time::Duration::from_secs(1);
                evil.vm.set_deadline(Some(std::time::Instant::now() + limit));
                match evil.vm.load(&orders.module()?) {
                    Ok(_) | Err(Error::Interrupted(_)) => {}
                    Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => {
                        attack.note(&end);
                    }
                    Err(error) => bail!("{of:?} of port {port:#x}, {count} times: {error}"),
                }
                attack.works(&mut evil)?;
            }
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

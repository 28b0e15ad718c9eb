//! Memory that is not the guest's, and translations of its own making.

use super::super::attack::{Attack, Evil, by_access, by_exception, by_exit};
use super::super::case::Case;
use super::super::orders::{
    CHUNKS_GPA, CODE_GPA, DATA_GPA, IMAGE_GPA, Orders, SYSTEM_GPA, TABLES_GPA,
};
use super::{EVIL, RINGS, case};
use anyhow::{Result, ensure};
use wrt_abi::Call;
use wrt_abi::layout::{
    HEAP_BASE, HEAP_INITIAL, IMAGE_BASE, MAILBOX_BASE, REGION_BASE, REGION_STRIDE, STACK_TOP,
    SYSTEM_BASE,
};
use wrt_evil::{WINDOW, X86};
use wrt_vm::VmEnd;
use wrt_vm::hypervisor::Exit;

const PAGE_FAULT: u64 = 14;

pub(super) const CASES: &[Case] = &[
    case("memory-outside", &[7, 12], RINGS, "guest-physical memory that is not there", outside),
    case("memory-guards", &[7], RINGS, "guest-physical pages between the guest's parts", guards),
    case("memory-image", &[8, 11], RINGS, "writing what all VMs share of the image", image),
    case("memory-execute", &[9], EVIL, "executing data, mailbox, stack, heap and modules", execute),
    case("memory-write", &[8], EVIL, "writing code, constants and modules", write),
    case("memory-closed", &[21], EVIL, "what is unmapped or privileged, from ring 3", closed),
    case("memory-noncanonical", &[12], EVIL, "addresses that are none", noncanonical),
    case("paging-window", &[10], RINGS, "page tables of the guest's own, over all memory", window),
    case("paging-host-tables", &[10, 12], RINGS, "rewriting the host's page tables", host_tables),
    case("paging-no-idt", &[10], RINGS, "no descriptor tables, and then an exception", no_idt),
    case("paging-roots", &[12], RINGS, "page tables in places of all kinds", roots),
    case("paging-loops", &[12], RINGS, "page tables that lead to themselves", loops),
];

fn outside(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let places = [
        0,
        0xa_0000,
        TABLES_GPA.start - 8,
        0x0700_0000,
        IMAGE_GPA + (16 << 20),
        0xfec0_0000,
        0xfee0_0000,
        0xffff_fff8,
        CHUNKS_GPA + (512 << 20),
        (1 << 36) - 8,
    ];
    for gpa in places {
        let place = WINDOW + gpa;
        let gone = by_access;
        attack.ends(&mut evil, &Orders::new().window().load(0, place), gone)?;
        attack.ends(&mut evil, &Orders::new().window().put(3, place, 1), gone)?;
        attack.ends(&mut evil, &Orders::new().window().put(0, place, 1), gone)?;
    }
    // Code that is not there cannot be emulated either.
    let fetched = |end: &VmEnd| by_access(end) || matches!(end, VmEnd::BadExit(_));
    attack.ends(&mut evil, &Orders::new().window().jump(WINDOW + 0xfee0_0000), fetched)?;
    // Beyond the 36 bits of an address: the processor's own fault.
    let beyond = Orders::new().window().load(0, WINDOW + (1 << 36)).report_faults();
    let report = attack.survives(&mut evil, &beyond)?;
    ensure!(report[0] == PAGE_FAULT && report[2] == 1, "{report:?}");
    attack.count(&evil.vm);
    Ok(())
}

fn guards(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // The host has nothing there that it could map.
    for gpa in [TABLES_GPA.end, TABLES_GPA.end + 0x3ff8, SYSTEM_GPA + 0x4000, DATA_GPA - 8] {
        let failed = by_exit(|exit| matches!(exit, Exit::Failed { .. }));
        attack.ends(&mut evil, &Orders::new().window().load(0, WINDOW + gpa), failed)?;
        let failed = by_exit(|exit| matches!(exit, Exit::Failed { .. }));
        attack.ends(&mut evil, &Orders::new().window().put(3, WINDOW + gpa, 1), failed)?;
    }
    Ok(())
}

fn image(attack: &mut Attack) -> Result<()> {
    let (mut evil, mut other) = (attack.evil()?, attack.evil()?);
    let look = |evil: &mut Evil| {
        let scans = [IMAGE_GPA, CODE_GPA].map(|gpa| WINDOW + gpa);
        let look = Orders::new().window();
        evil.run(&scans.into_iter().fold(look, |look, at| look.scan(0, at, 0x4000, 1)))
    };
    let before = look(&mut other)?;
    for gpa in [IMAGE_GPA, IMAGE_GPA + 0x1008, CODE_GPA, CODE_GPA + 0x800] {
        for width in 0..4 {
            let put = Orders::new().window().put(width, WINDOW + gpa, 0x1111_1111_1111_1111);
            attack
                .ends(&mut evil, &put, |end| matches!(end, VmEnd::BadAccess { write: true, .. }))?;
        }
    }
    other.vm.reset()?;
    ensure!(look(&mut other)? == before, "another VM's code was changed");
    Ok(())
}

/// Addresses at which the guest has something of its own that it can only read and write.
fn data() -> Vec<u64> {
    vec![
        MAILBOX_BASE,
        MAILBOX_BASE + 0x100,
        STACK_TOP - 64,
        HEAP_BASE,
        HEAP_BASE + HEAP_INITIAL - 16,
        // The orders themselves.
        REGION_BASE + REGION_STRIDE,
        REGION_BASE + REGION_STRIDE + 8,
    ]
}

fn faults(report: &[u64], of: &[u64]) -> Result<()> {
    ensure!(report.len() == of.len() * 3, "{report:x?}");
    for (fault, &address) in report.chunks_exact(3).zip(of) {
        ensure!(fault == [PAGE_FAULT, address, 1], "at {address:#x}: {fault:x?}");
    }
    Ok(())
}

fn execute(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let orders = data().into_iter().fold(Orders::new(), |o, at| o.jump(at).report_faults());
    faults(&attack.survives(&mut evil, &orders)?, &data())?;
    // Its own scratch memory, with an instruction in it.
    let own = Orders::new().scratch(6).put_at(0, 6, 0, 0xc3).report(6, 1);
    let scratch = attack.survives(&mut evil, &own)?[0];
    let report = attack.survives(&mut evil, &Orders::new().jump(scratch).report_faults())?;
    faults(&report, &[scratch])
}

fn write(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let constants = IMAGE_BASE + 0x8000;
    let mut places = vec![0x0040_0000, 0x0040_1000, REGION_BASE + REGION_STRIDE + 64];
    if attack.has_rings() {
        places.push(IMAGE_BASE);
    }
    let orders = places.iter().fold(Orders::new(), |o, &at| o.put(3, at, 0x9090).report_faults());
    faults(&attack.survives(&mut evil, &orders)?, &places)?;
    let report = attack.survives(&mut evil, &Orders::new().put(3, constants, 1).report_faults())?;
    ensure!(report[2] == 1, "constants were written: {report:x?}");
    Ok(())
}

fn closed(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let places = [
        0,
        8,
        IMAGE_BASE,
        IMAGE_BASE - 8,
        SYSTEM_BASE,
        SYSTEM_BASE + 0x2000,
        SYSTEM_BASE + 0x4000,
        MAILBOX_BASE - 8,
        MAILBOX_BASE + 0x4000,
        STACK_TOP,
        STACK_TOP - (1 << 20),
        HEAP_BASE - 8,
        HEAP_BASE + HEAP_INITIAL,
        REGION_BASE,
        REGION_BASE + REGION_STRIDE - 8,
        REGION_BASE + REGION_STRIDE + (1 << 20),
        // Where the process backend has what is its own.
        wrt_abi::process::WINDOW_BASE,
        wrt_abi::process::GATE_BASE + 0x1000,
        0x7fff_ffff_e000,
    ];
    for orders in [
        places.iter().fold(Orders::new(), |o, &at| o.load(0, at).report_faults()),
        places.iter().fold(Orders::new(), |o, &at| o.put(0, at, 1).report_faults()),
        places.iter().fold(Orders::new(), |o, &at| o.jump(at).report_faults()),
    ] {
        faults(&attack.survives(&mut evil, &orders)?, &places)?;
    }
    attack.count(&evil.vm);
    Ok(())
}

fn noncanonical(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for at in [1 << 47, u64::MAX / 2, 1 << 63, 0x0800_0000_0000_0000] {
        for orders in [
            Orders::new().load(0, at),
            Orders::new().put(3, at, 1),
            Orders::new().jump(at),
            Orders::new().instruction(X86::SetStack, at, 0),
        ] {
            if attack.has_rings() {
                let report = attack.survives(&mut evil, &orders.report_faults())?;
                ensure!(matches!(report[..], [12..=14, _, 1]), "{at:#x}: {report:x?}");
            } else {
                attack.ends(&mut evil, &orders, by_exception)?;
            }
        }
    }
    Ok(())
}

/// The guest's pages in the guest's own tables: what it writes by one way it reads by another,
/// and may then execute. None of it is anybody else's.
fn window(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let data_start = scratch & !0x1f_ffff;
    let physical = WINDOW + DATA_GPA + (scratch - data_start);
    // mov $7, %eax; ret: a function that returns 7.
    let code = [0xb8, 7, 0, 0, 0, 0xc3];
    let orders = Orders::new()
        .window()
        .put(3, scratch, 0x1234_5678)
        .load(4, physical)
        .report(4, 1)
        .set(5, physical + 64)
        .bytes(5, 0, &code)
        .jump(physical + 64)
        .report(0, 1)
        .load(7, WINDOW + TABLES_GPA.start)
        .report(7, 1);
    let report = attack.survives(&mut evil, &orders)?;
    ensure!(report[..2] == [0x1234_5678, 7], "the window does not work: {report:x?}");
    ensure!(report[2] & 1 == 1, "no page tables were found: {report:x?}");
    attack.works(&mut evil)
}

fn host_tables(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let ended = |end: &VmEnd| !matches!(end, VmEnd::Earlier | VmEnd::Hypervisor(_));
    let pages = (TABLES_GPA.end - TABLES_GPA.start) / 4096;
    // All of them at once, with garbage and with nothing.
    for seed in [0, 1, 2] {
        let all = Orders::new()
            .window()
            .plant(WINDOW + TABLES_GPA.start, TABLES_GPA.end - TABLES_GPA.start, seed)
            .privileged(X86::WriteCr3, TABLES_GPA.start, 0);
        attack.ends(&mut evil, &all, ended)?;
    }
    // One entry of each of the first tables to lead to other places; the host goes on editing
    // them meanwhile.
    for target in [0x7_u64, 0xfee0_0007, TABLES_GPA.start | 7, u64::MAX, (1 << 36) | 0x87] {
        for table in [1, 2, 3, 4, 5, 6, pages - 1] {
            let at = WINDOW + TABLES_GPA.start + table * 4096;
            let orders = Orders::new()
                .window()
                .put(3, at + 8 * 511, target)
                .put(3, at + 8 * 256, target)
                .call(Call::RegionReserve, 0, &[1 << 20])
                .add(6, 14, 0)
                .call(Call::RegionCommit, 0, &[REGION_BASE, 1 << 20, 2 << 20])
                .put_at(3, 6, 0, 1)
                .call(Call::RegionRelease, 0, &[REGION_BASE])
                .put(3, at + 8, target);
            match evil.run(&orders) {
                Ok(_) => {}
                Err(wrt_vm::Error::Ended(end)) if ended(&end) => attack.note(&end),
                Err(error) => anyhow::bail!("{target:#x} in table {table}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn no_idt(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let gave_up = by_exit(|exit| matches!(exit, Exit::TripleFault | Exit::Failed { .. }));
    let erased = Orders::new().window().plant(WINDOW + SYSTEM_GPA, 0x4000, 3);
    attack.ends(&mut evil, &erased.instruction(X86::Ud2, 0, 0), &gave_up)?;
    // An IDT without entries.
    let orders = Orders::new()
        .set(2, SYSTEM_BASE + 0x2100)
        .set(0, 0)
        .privileged_as_it_is(X86::Write64)
        .privileged_as_it_is(X86::Lidt)
        .instruction(X86::Ud2, 0, 0);
    attack.ends(&mut evil, &orders, &gave_up)
}

fn roots(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let roots = [0, 0xfee0_0000, TABLES_GPA.end, IMAGE_GPA, DATA_GPA, 0xf_ffff_f000, SYSTEM_GPA];
    for root in roots {
        let orders = Orders::new().privileged(X86::WriteCr3, root, 0);
        attack.ends(&mut evil, &orders, |end| !matches!(end, VmEnd::Earlier))?;
    }
    // More bits than an address has.
    let beyond = Orders::new().privileged(X86::WriteCr3, 1 << 40, 0).report_faults();
    match evil.run(&beyond) {
        Ok(report) => ensure!(report[2] == 1, "the root was taken: {report:x?}"),
        Err(wrt_vm::Error::Ended(end)) => attack.note(&end),
        Err(error) => anyhow::bail!("{error}"),
    }
    attack.works(&mut evil)
}

fn loops(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // The root leads to itself at every level: an address whose tables are all the root.
    let root = TABLES_GPA.start;
    let index = 0xff_u64;
    let itself = index << 39 | index << 30 | index << 21 | index << 12;
    for flags in [7, 0x87] {
        let orders = Orders::new()
            .window()
            .put(3, WINDOW + root + 8 * index, root | flags)
            .privileged(X86::WriteCr3, root, 0)
            .load(4, itself + 8 * index)
            .put(3, itself + 8 * 5, 7)
            .jump(itself)
            .report(4, 1);
        match evil.run(&orders) {
            Ok(report) => attack.note(&format!("{report:x?}")),
            Err(wrt_vm::Error::Ended(end)) => attack.note(&end),
            Err(error) => anyhow::bail!("{error}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

//! Memory that is not the guest's, and translations of its own making.

use super::{EVIL, RINGS, case, x86};
use crate::arch::{CHUNKS_GPA, IMAGE_GPA, Places, Processor};
use crate::attack::{Attack, Evil, by_access, by_exception, by_exit};
use crate::case::Case;
use crate::orders::Orders;
use anyhow::{Result, ensure};
use std::time::Duration;
use wrt_abi::Call;
use wrt_abi::layout::{
    HEAP_BASE, HEAP_INITIAL, IMAGE_BASE, MAILBOX_BASE, REGION_BASE, REGION_STRIDE, STACK_TOP,
    SYSTEM_BASE, arm,
};
use wrt_evil::{WINDOW, X86};
use wrt_vm::Error;
use wrt_vm::error::VmEnd;
use wrt_vm::hypervisor::Exit;

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
    x86(
        "an Arm has no descriptor tables: `arm-vectors` is about what it has",
        case("paging-no-idt", &[10], RINGS, "no descriptor tables, and then an exception", no_idt),
    ),
    case("paging-roots", &[12], RINGS, "page tables in places of all kinds", roots),
    x86(
        "tables of an Arm lead to themselves otherwise: `arm-paging-loops`",
        case("paging-loops", &[12], RINGS, "page tables that lead to themselves", loops),
    ),
];

fn outside(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let window = || Orders::new().window(processor);
    let places = [
        0,
        0xa_0000,
        processor.places.tables.start - 8,
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
        attack.ends(&mut evil, &window().load(0, place), gone)?;
        attack.ends(&mut evil, &window().put(3, place, 1), gone)?;
        attack.ends(&mut evil, &window().put(0, place, 1), gone)?;
    }
    // Code that is not there cannot be emulated either; an Arm's system has the guest take that
    // for an error of its memory.
    match evil.run(&window().jump(WINDOW + 0xfee0_0000).report_faults()) {
        Err(Error::Ended(end)) if by_access(&end) || matches!(end, VmEnd::BadExit(_)) => {
            attack.note(&end);
        }
        Ok(report) if attack.setup.is_arm() && report[2] == 1 => {}
        other => anyhow::bail!("code that is not there: {other:x?}"),
    }
    attack.works(&mut evil)?;
    // Beyond the 36 bits of an address: the processor's own fault, or nothing that is there.
    match evil.run(&window().load(0, WINDOW + (1 << 36)).report_faults()) {
        Ok(report) => {
            ensure!(report[0] == processor.access && report[2] == 1, "{report:?}");
        }
        Err(Error::Ended(end)) if attack.setup.is_arm() && by_access(&end) => {}
        Err(error) => anyhow::bail!("beyond all addresses: {error}"),
    }
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn guards(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let Places { tables, system, data, .. } = &processor.places;
    // The host has nothing there that it could map. Whoever does not know what is in the host's
    // own tables takes it for an access to what is not there.
    let is_arm = attack.setup.is_arm();
    let failed = by_exit(|exit| matches!(exit, Exit::Failed { .. }));
    let ended = |end: &VmEnd| failed(end) || is_arm && by_access(end);
    for gpa in [tables.end, tables.end + 0x3ff8, system + 0x4000, data - 8] {
        let window = || Orders::new().window(processor);
        attack.ends(&mut evil, &window().load(0, WINDOW + gpa), ended)?;
        attack.ends(&mut evil, &window().put(3, WINDOW + gpa, 1), ended)?;
    }
    Ok(())
}

fn image(attack: &mut Attack) -> Result<()> {
    let processor = attack.processor();
    let image = processor.places.image;
    let look = |evil: &mut Evil| {
        let look = Orders::new().window(processor);
        evil.run(&image.iter().fold(look, |look, gpa| look.scan(0, WINDOW + gpa, 0x4000, 1)))
    };
    // Another VM beside it; or before it and after it, where there is one at a time.
    let mut other = attack.evil()?;
    let before = look(&mut other)?;
    let mut other = (!attack.one_vm()?).then_some(other);
    let mut evil = attack.evil()?;
    for gpa in image.iter().flat_map(|gpa| [0, 0x800, 0x1008].map(|offset| gpa + offset)) {
        for width in 0..4 {
            let put =
                Orders::new().window(processor).put(width, WINDOW + gpa, 0x1111_1111_1111_1111);
            attack
                .ends(&mut evil, &put, |end| matches!(end, VmEnd::BadAccess { write: true, .. }))?;
        }
    }
    drop(evil);
    let mut other = match other.take() {
        Some(other) => other,
        None => attack.evil()?,
    };
    other.vm.reset()?;
    ensure!(look(&mut other)? == before, "another VM's code was changed");
    Ok(())
}

/// When a guest is ended that may be in an endless loop of exceptions: what an x86 gives up on, an
/// Arm tries for ever.
const LOST: Duration = Duration::from_secs(1);

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

fn faults(report: &[u64], vector: u64, of: &[u64]) -> Result<()> {
    ensure!(report.len() == of.len() * 3, "{report:x?}");
    for (fault, &address) in report.chunks_exact(3).zip(of) {
        ensure!(fault == [vector, address, 1], "at {address:#x}: {fault:x?}");
    }
    Ok(())
}

fn execute(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let fetch = attack.processor().fetch;
    let orders = data().into_iter().fold(Orders::new(), |o, at| o.jump(at).report_faults());
    faults(&attack.survives(&mut evil, &orders)?, fetch, &data())?;
    // Its own scratch memory, with a function in it.
    let own = Orders::new().scratch(6).bytes(6, 0, attack.processor().seven).report(6, 1);
    let scratch = attack.survives(&mut evil, &own)?[0];
    let report = attack.survives(&mut evil, &Orders::new().jump(scratch).report_faults())?;
    faults(&report, fetch, &[scratch])
}

fn write(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // The linker puts constants on the first page behind the stub's.
    let constants = IMAGE_BASE + 0x4000;
    let mut places =
        vec![0x0040_0000, 0x0040_1000, REGION_BASE + REGION_STRIDE + 64, constants, constants + 8];
    if attack.has_rings() {
        places.push(IMAGE_BASE);
    }
    let orders = places.iter().fold(Orders::new(), |o, &at| o.put(3, at, 0x9090).report_faults());
    let report = attack.survives(&mut evil, &orders)?;
    faults(&report, attack.processor().access, &places)
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
        arm::DOORBELL_BASE,
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
    let &Processor { access, fetch, .. } = attack.processor();
    for (orders, vector) in [
        (places.iter().fold(Orders::new(), |o, &at| o.load(0, at).report_faults()), access),
        (places.iter().fold(Orders::new(), |o, &at| o.put(0, at, 1).report_faults()), access),
        (places.iter().fold(Orders::new(), |o, &at| o.jump(at).report_faults()), fetch),
    ] {
        faults(&attack.survives(&mut evil, &orders)?, vector, &places)?;
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
            Orders::new().instruction(attack.processor().set_stack, at, 0),
        ] {
            // An x86 process that is traced is not told which address it was.
            if attack.has_rings() || attack.setup.is_arm() {
                let report = attack.survives(&mut evil, &orders.report_faults())?;
                let [vector, _, count] = report[..] else { anyhow::bail!("{report:x?}") };
                let expected = attack.processor().no_address.contains(&vector) && count == 1;
                ensure!(expected, "{at:#x}: {report:x?}");
            } else {
                attack.ends(&mut evil, &orders, by_exception)?;
            }
        }
    }
    Ok(())
}

/// The guest's pages in the guest's own tables: what it writes by one way it reads by another,
/// and may then execute, where the hypervisor leaves that to it. None of it is anybody else's.
fn window(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let data_start = scratch & !0x1f_ffff;
    let physical = WINDOW + processor.places.data + (scratch - data_start);
    let orders = Orders::new()
        .window(processor)
        .put(3, scratch, 0x1234_5678)
        .load(4, physical)
        .report(4, 1)
        .set(5, physical + 64)
        .bytes(5, 0, processor.seven)
        .load(7, WINDOW + processor.places.tables.start)
        .report(7, 1);
    let report = attack.survives(&mut evil, &orders)?;
    ensure!(report[0] == 0x1234_5678, "the window does not work: {report:x?}");
    ensure!(report[1] & 1 == 1, "no page tables were found: {report:x?}");
    evil.vm.reset()?;
    let jump = orders.jump(physical + 64).report(0, 1);
    if attack.executes_data() {
        let report = attack.survives(&mut evil, &jump)?;
        ensure!(report[2] == 7, "what it wrote is not executed: {report:x?}");
        attack.works(&mut evil)
    } else {
        attack.ends(&mut evil, &jump, by_access)
    }
}

fn host_tables(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let ended = |end: &VmEnd| !matches!(end, VmEnd::Earlier | VmEnd::Hypervisor(_));
    let processor = attack.processor();
    let Places { tables, table: size, .. } = &processor.places;
    let count = (tables.end - tables.start) / size;
    // All of them at once, with garbage and with nothing.
    for seed in [0, 1, 2] {
        let all = Orders::new().window(processor).plant(
            WINDOW + tables.start,
            tables.end - tables.start,
            seed,
        );
        attack.is_lost(&mut evil, &(processor.use_root)(all, tables.start), ended)?;
    }
    // One entry of each of the first tables to lead to other places; the host goes on editing
    // them meanwhile.
    for target in [0x7_u64, 0xfee0_0007, tables.start | 7, u64::MAX, (1 << 36) | 0x87] {
        for table in [1, 2, 3, 4, 5, 6, count - 1] {
            let at = WINDOW + tables.start + table * size;
            let orders = Orders::new()
                .window(processor)
                .put(3, at + 8 * 511, target)
                .put(3, at + 8 * 256, target)
                .call(Call::RegionReserve, 0, &[1 << 20])
                .add(6, 14, 0)
                .call(Call::RegionCommit, 0, &[REGION_BASE, 1 << 20, 2 << 20])
                .put_at(3, 6, 0, 1)
                .call(Call::RegionRelease, 0, &[REGION_BASE])
                .put(3, at + 8, target);
            match evil.run_for(LOST, &orders) {
                Ok(_) => {}
                Err(Error::Ended(end)) if ended(&end) => attack.note(&end),
                Err(Error::Interrupted(_)) if attack.setup.is_arm() => {}
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
    let processor = attack.processor();
    let system = WINDOW + processor.places.system;
    let erased = Orders::new().window(processor).plant(system, 0x4000, 3);
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
    let processor = attack.processor();
    let &Places { ref tables, system, data, .. } = &processor.places;
    let roots = [0, 0xfee0_0000, tables.end, IMAGE_GPA, data, 0xf_ffff_f000, system];
    for root in roots {
        let orders = (processor.use_root)(Orders::new(), root);
        attack.is_lost(&mut evil, &orders, |end| !matches!(end, VmEnd::Earlier))?;
    }
    // More bits than an address has.
    let beyond = (processor.use_root)(Orders::new(), 1 << 40).report_faults();
    match evil.run_for(LOST, &beyond) {
        Ok(report) => ensure!(report[2] == 1, "the root was taken: {report:x?}"),
        Err(Error::Ended(end)) => attack.note(&end),
        Err(Error::Interrupted(_)) if attack.setup.is_arm() => {}
        Err(error) => anyhow::bail!("{error}"),
    }
    attack.works(&mut evil)
}

fn loops(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // The root leads to itself at every level: an address whose tables are all the root.
    let processor = attack.processor();
    let root = processor.places.tables.start;
    let index = 0xff_u64;
    let itself = index << 39 | index << 30 | index << 21 | index << 12;
    for flags in [7, 0x87] {
        let orders = Orders::new()
            .window(processor)
            .put(3, WINDOW + root + 8 * index, root | flags)
            .privileged(X86::WriteCr3, root, 0)
            .load(4, itself + 8 * index)
            .put(3, itself + 8 * 5, 7)
            .jump(itself)
            .report(4, 1);
        match evil.run(&orders) {
            Ok(report) => attack.note(&format!("{report:x?}")),
            Err(Error::Ended(end)) => attack.note(&end),
            Err(error) => anyhow::bail!("{error}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

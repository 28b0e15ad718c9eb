//! What an attacker has on 64-bit Arm alone: system registers, calls of a hypervisor and of
//! firmware, vectors, debug and timers.
//!
//! Where the host has a register in its list for a boot (`host/src/machine/arch/aarch64/`
//! `registers.rs`), what EL0 may do is decided there.

use super::super::arch::CHUNKS_GPA;
use super::super::attack::{Attack, Evil, by_access, by_exception, by_exit};
use super::super::case::Case;
use super::super::orders::Orders;
use super::processor::{all_ring_0, all_ring_3};
use super::residue::{TENANT, check_entry};
use super::{EVIL, RINGS, arm, case, logging};
use anyhow::{Result, bail, ensure};
use std::time::{Duration, Instant};
use wrt_abi::Call;
use wrt_abi::layout::{IMAGE_BASE, MAILBOX_BASE, SYSTEM_BASE, arm as layout};
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, ArmRegister, WINDOW, secret};
use wrt_vm::hypervisor::Exit;
use wrt_vm::{Backend, Error, VmEnd};

const TABLES: &str = "x86 has a table of its own: `cpu-all-ring-3` and `cpu-all-ring-0`";
const REGISTERS: &str = "x86 has model-specific registers: `cpu-msrs`, `cpu-modes`";
const CALLS: &str = "x86 has ports: `ports-ring-3`, `ports-ring-0`";
const CODE: &str = "x86 executes in ring 0 what ring 3 writes: `paging-window`";
const OTHERS: &str = "x86 has others: `cpu-clocks`, `cpu-denied`, `cpu-handlers`";
const STATE: &str = "`residue-debug` and `residue-instruction` are about x86";

/// Of hundreds of programs, with a line in the log for each; on a processor that is emulated they
/// take minutes.
const fn sweep(case: Case) -> Case {
    Case { limit: Duration::from_secs(900), ..logging(256 << 10, case) }
}

pub(super) const CASES: &[Case] = &[
    sweep(arm(TABLES, case("arm-all-el0", &[58], EVIL, "every instruction at EL0", all_ring_3))),
    sweep(arm(
        TABLES,
        case("arm-all-el1", &[29, 58], RINGS, "every instruction at EL1", all_ring_0),
    )),
    sweep(arm(
        REGISTERS,
        case("arm-registers-el0", &[58], RINGS, "system registers, from EL0", of_el0),
    )),
    sweep(arm(
        REGISTERS,
        case("arm-registers-el1", &[58], RINGS, "system registers, from EL1", of_el1),
    )),
    arm(REGISTERS, case("arm-modes", &[29], RINGS, "registers that turn translation off", modes)),
    arm(OTHERS, case("arm-denied", &[58], RINGS, "instructions that are denied to EL0", denied)),
    arm(OTHERS, case("arm-clocks", &[58], RINGS, "counters of time and events", clocks)),
    arm(OTHERS, case("arm-timers", &[44, 58], RINGS, "timers, and interrupts let through", timers)),
    arm(OTHERS, case("arm-waits", &[44], RINGS, "waiting for interrupts and events", waits)),
    arm(OTHERS, case("arm-vectors", &[10, 44], RINGS, "vectors that are not there", vectors)),
    arm(OTHERS, case("arm-stacks", &[24], RINGS, "stack pointers that are not aligned", stacks)),
    arm(OTHERS, case("arm-debug", &[43, 58], RINGS, "breakpoints, watchpoints, steps", debug)),
    arm(CALLS, case("arm-hvc", &[16, 58], RINGS, "calls of a hypervisor, by every number", hvc)),
    arm(CALLS, case("arm-firmware", &[16, 58], RINGS, "calls of firmware", firmware)),
    arm(CALLS, case("arm-doorbell", &[38], RINGS, "accesses to the doorbell", doorbell)),
    arm(CODE, case("arm-own-code", &[9, 10], RINGS, "code of its own at EL1", own_code)),
    arm(
        "`paging-loops` has those of x86",
        case("arm-paging-loops", &[12], RINGS, "page tables that lead to themselves", loops),
    ),
    arm(STATE, case("arm-residue", &[13], RINGS, "system registers after a reset", residue)),
    arm(
        STATE,
        case("arm-residue-access", &[13, 29], RINGS, "an access that ended a VM", residue_access),
    ),
];

/// Classes of exceptions by which an instruction is denied: undefined, waiting, vectors or
/// matrices that are off, access to a register, a call that is the guest's own to take.
const DENIALS: &[u64] = &[0x00, 0x01, 0x18, 0x19, 0x1d, 0x0a];

/// Registers that are EL0's to read and write.
const OF_EL0: &[ArmRegister] = &[
    ArmRegister::TpidrEl0,
    ArmRegister::Nzcv,
    ArmRegister::Fpcr,
    ArmRegister::Fpsr,
    // Of newer processors, and none keeps EL0 from them.
    ArmRegister::Dit,
    ArmRegister::Ssbs,
    ArmRegister::Tco,
    ArmRegister::ScxtnumEl0,
    ArmRegister::Fpmr,
    // Of a debugger that there is not: nothing, whoever asks.
    ArmRegister::Dbgdtr,
];

/// Registers that EL0 may read, and not write: random numbers, what caches are like, what the host says, what is
/// allowed of events, and nothing.
const READ_BY_EL0: &[ArmRegister] = &[
    ArmRegister::RndrEl0,
    ArmRegister::RndrrsEl0,
    ArmRegister::CtrEl0,
    ArmRegister::DczidEl0,
    ArmRegister::TpidrroEl0,
    ArmRegister::PmuserenrEl0,
    ArmRegister::Mdccsr,
];

/// Counters of events that EL0 may have by itself, if a bit of PMUSERENR_EL0 says so, and which a
/// hypervisor keeps from it by MDCR_EL2.
const EVENTS: &[ArmRegister] = &[
    ArmRegister::PmswincEl0,
    ArmRegister::PmselrEl0,
    ArmRegister::PmccntrEl0,
    ArmRegister::PmxevcntrEl0,
    ArmRegister::Pmevcntr0El0,
];

/// Those of exception levels that are not the guest's.
fn above(register: ArmRegister) -> bool {
    (ArmRegister::HcrEl2 as u32..=ArmRegister::SpEl2 as u32).contains(&(register as u32))
}

fn of_el0(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for &register in ArmRegister::ALL {
        let orders = Orders::new()
            .instruction(register.read(), 0, 0)
            .report_faults()
            .instruction(register.write(), 0, 0)
            .report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let [read, _, reads, write, _, writes] = report[..] else { bail!("{report:x?}") };
        if OF_EL0.contains(&register) {
            continue;
        }
        let denied = |class, count| DENIALS.contains(&class) && count == 1;
        let is_readable = READ_BY_EL0.contains(&register);
        for (what, is_denied) in
            [("read", is_readable || denied(read, reads)), ("written", denied(write, writes))]
        {
            match (is_denied, EVENTS.contains(&register)) {
                (true, _) => {}
                (false, true) => attack.gap_of_qemu(format!("{register:?} can be {what}"))?,
                (false, false) => bail!("{register:?} can be {what}: {report:x?}"),
            }
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn of_el1(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let mut ends = 0;
    for &register in ArmRegister::ALL {
        for of in [register.read(), register.write()] {
            for word in [0, 1, 0x0606_0606_0606_0606, u64::MAX] {
                let orders = Orders::new()
                    .privileged(of, word, 0)
                    .report_faults()
                    .call(Call::RegionRelease, 0, &[1])
                    .report(12, 1);
                evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
                match evil.vm.load(&orders.module()?) {
                    Ok(_) => {}
                    Err(Error::Ended(VmEnd::Hypervisor(text))) => bail!("{register:?}: {text}"),
                    Err(Error::Ended(_) | Error::Interrupted(_)) => {
                        ends += 1;
                        evil.vm.reset()?;
                        continue;
                    }
                    Err(error) => bail!("{register:?}: {error}"),
                }
                if above(register) {
                    let look = Orders::new().privileged(of, word, 0).report_faults();
                    let report = attack.survives(&mut evil, &look)?;
                    ensure!(report[2] == 1, "{register:?} is reached from EL1: {report:x?}");
                }
                evil.vm.reset()?;
            }
        }
        attack.works(&mut evil)?;
    }
    attack.note(&format!("{ends} ends"));
    attack.count(&evil.vm);
    Ok(())
}

fn modes(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let usual = 0x3450_d81d_u64;
    for (register, values) in [
        // Without translation or caches; with big-endian data, aligned data, no page both writable
        // and executable, keys, and all that EL0 may be allowed.
        (
            ArmRegister::SctlrEl1,
            &[
                0,
                usual & !1,
                usual & !4,
                usual & !(1 << 12),
                usual | 1 << 25,
                usual | 1 << 24,
                usual | 2,
                usual | 1 << 19,
                usual | 1 << 31 | 1 << 30 | 1 << 27 | 1 << 13,
                usual | 1 << 14 | 1 << 16 | 1 << 18 | 1 << 9,
                u64::MAX,
            ][..],
        ),
        // Other sizes of pages and addresses; none.
        (ArmRegister::TcrEl1, &[0, 17, 17 | 1 << 14, 17 | 3 << 14, 63 | 2 << 14, 1 << 7, u64::MAX]),
        // Devices, no caches, reserved ones.
        (ArmRegister::MairEl1, &[0, 4, 0x44, 0x0c, 0xf0, u64::MAX]),
        (ArmRegister::CpacrEl1, &[0, 1 << 20, 3 << 20 | 3 << 16, 3 << 20 | 3 << 24, u64::MAX]),
        (ArmRegister::Mdscr, &[1, 1 << 12, 1 << 15, 1 << 13 | 1 << 15 | 1, u64::MAX]),
        (ArmRegister::SpsrEl1, &[0, 0x3c4, 0x3c5, 0x3c9, 0x3cd, 0x1f, 1 << 20, 1 << 21, u64::MAX]),
        (ArmRegister::ElrEl1, &[0, 1, 2, IMAGE_BASE, SYSTEM_BASE, 1 << 63, u64::MAX]),
        (ArmRegister::SpSel, &[0, 1]),
        (ArmRegister::CntkctlEl1, &[3, 0x303, u64::MAX]),
        (ArmRegister::PmuserenrEl0, &[u64::MAX]),
    ] {
        for &value in values {
            let orders = Orders::new()
                .privileged(register.write(), value, 0)
                .privileged_as_it_is(Arm::TlbiAll)
                .instruction(ArmRegister::CntvctEl0.read(), 0, 0)
                .instruction(Arm::LoadV0, 0, MAILBOX_BASE + 256)
                .instruction(Arm::LoadZ0, 0, MAILBOX_BASE + 256)
                .call(Call::RegionReserve, 0, &[4096])
                .report_faults();
            evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
            match evil.vm.load(&orders.module()?) {
                Ok(_) => attack.note(&format!("{register:?} {value:#x}: survived")),
                Err(Error::Interrupted(_)) => attack.note(&"timed out"),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("{register:?} {value:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn denied(attack: &mut Attack) -> Result<()> {
    const DENIED: &[Arm] = &[
        Arm::Udf,
        Arm::UdfMax,
        Arm::Eret,
        Arm::Eretaa,
        Arm::Drps,
        Arm::Dcps1,
        Arm::Dcps2,
        Arm::Dcps3,
        Arm::Hlt,
        Arm::HltHost,
        Arm::Hvc0,
        Arm::HvcMailbox,
        Arm::HvcReport,
        Arm::HvcMax,
        Arm::Smc0,
        Arm::SmcMailbox,
        Arm::SmcMax,
        Arm::MaskAll,
        Arm::UnmaskAll,
        Arm::StackOfEl0,
        Arm::StackOfEl1,
        Arm::PanOff,
        Arm::PanOn,
        Arm::UaoOn,
        Arm::SmStart,
        Arm::DcZva,
        Arm::DcIvac,
        Arm::DcIsw,
        Arm::DcCsw,
        Arm::DcGva,
        Arm::IcIallu,
        Arm::IcIalluis,
        Arm::TlbiAll,
        Arm::TlbiVae1,
        Arm::TlbiAlle1,
        Arm::TlbiAlle2,
        Arm::TlbiAlle3,
        Arm::TlbiStage2,
        Arm::AtS1e1r,
        Arm::AtS1e0w,
        Arm::AtS12e1r,
        Arm::Load64Bytes,
        Arm::Store64Bytes,
        Arm::Rdvl,
        Arm::LoadZ0,
        Arm::StoreZ0,
        Arm::ReadFirstFault,
        Arm::Rdsvl,
        Arm::ZeroZa,
        Arm::AmxSet,
        Arm::AmxClr,
        Arm::Tstart,
        Arm::Genter,
        Arm::Gexit,
    ];
    let mut evil = attack.evil()?;
    for &of in DENIED {
        let orders = Orders::new().scratch(2).set(0, 0).instruction_as_it_is(of).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(
            DENIALS.contains(&report[0]) && report[2] == 1,
            "{of:?} is not denied: {report:x?}"
        );
    }
    // Those that are exceptions by themselves.
    for (of, class) in [(Arm::SvcMax, 0x15), (Arm::Brk, 0x3c), (Arm::BrkMailbox, 0x3c)] {
        let orders = Orders::new().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[0] == class && report[2] == 1, "{of:?}: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

fn clocks(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    for register in [
        ArmRegister::CntfrqEl0,
        ArmRegister::CntpctEl0,
        ArmRegister::CntvctEl0,
        ArmRegister::CntpctssEl0,
        ArmRegister::CntvctssEl0,
        ArmRegister::CntpTval,
        ArmRegister::CntpCtl,
        ArmRegister::CntvTval,
        ArmRegister::CntvCtl,
        ArmRegister::CntvCval,
        ArmRegister::PmcrEl0,
        ArmRegister::PmccntrEl0,
        ArmRegister::Pmevcntr0El0,
        ArmRegister::AmcrEl0,
    ] {
        let orders = Orders::new().instruction(register.read(), 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let is_denied = DENIALS.contains(&report[0]) && report[2] == 1;
        match (is_denied, EVENTS.contains(&register)) {
            (true, _) => {}
            (false, true) => attack.gap_of_qemu(format!("{register:?} can be read"))?,
            (false, false) => bail!("{register:?} is not denied: {report:x?}"),
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

/// Timers that are up, and interrupts that nobody masks: no end but the guest's own.
fn timers(attack: &mut Attack) -> Result<()> {
    if attack.is_kvm_in_qemu()? {
        // The emulator itself comes to a stop, and not even ends when it is told to.
        return attack.gap_of_qemu("timers were not tried".to_owned());
    }
    let mut evil = attack.evil()?;
    for (control, value) in [
        (ArmRegister::CntvCtl, ArmRegister::CntvCval),
        (ArmRegister::CntpCtl, ArmRegister::CntpCval),
    ] {
        for when in [0, 1 << 20, u64::MAX] {
            let orders = Orders::new()
                .privileged(value.write(), when, 0)
                .privileged(control.write(), 1, 0)
                .privileged_as_it_is(Arm::UnmaskAll)
                .privileged(ArmRegister::SpsrEl1.write(), 0, 0)
                .spin(100_000)
                .report_faults();
            match evil.run(&orders) {
                Ok(report) => attack.note(&format!("{control:?} at {when:#x}: {report:x?}")),
                Err(Error::Interrupted(_)) => attack.note(&"timed out"),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("{control:?} at {when:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn waits(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // From EL0 they are the stub's; without waiting, there is nothing to deny.
    let orders = Orders::new().instruction(Arm::Wfi, 0, 0).report_faults();
    let report = attack.survives(&mut evil, &orders)?;
    ensure!(report[0] == 1 && report[2] == 1, "EL0 waits: {report:x?}");
    for of in [Arm::Wfe, Arm::Wfit, Arm::Wfet, Arm::Sev, Arm::Sevl, Arm::Yield] {
        let orders = Orders::new().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[2] == 0 || DENIALS.contains(&report[0]), "{of:?}: {report:x?}");
    }
    attack.halts(&mut evil, &Orders::new().privileged_as_it_is(Arm::Wfi))?;
    // With interrupts that are not masked, and none to come.
    let unmasked = Orders::new()
        .privileged(ArmRegister::SctlrEl1.write(), 0x3450_d81d | 1 << 16 | 1 << 18, 0)
        .instruction(Arm::Wfi, 0, 0);
    attack.halts(&mut evil, &unmasked)?;
    for of in [Arm::Wfe, Arm::Wfit, Arm::Wfet] {
        evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
        match evil.vm.load(&Orders::new().privileged(of, u64::MAX, 0).module()?) {
            Ok(_) | Err(Error::Interrupted(_)) => {}
            Err(Error::Ended(VmEnd::BadExit(Exit::Halt))) => {
                attack.note(&VmEnd::BadExit(Exit::Halt))
            }
            other => bail!("{of:?}: {other:?}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn vectors(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let places = [
        0,
        IMAGE_BASE + 0x1000,
        SYSTEM_BASE,
        layout::DOORBELL_BASE,
        MAILBOX_BASE,
        WINDOW + processor.places.data,
        ARM_PRIVILEGED_WINDOW + processor.places.data,
        ARM_PRIVILEGED_WINDOW + 0xfee0_0000,
        ARM_PRIVILEGED_WINDOW + CHUNKS_GPA + (512 << 20),
        1 << 47,
        1 << 63,
    ];
    for place in places {
        for then in [Arm::Udf, Arm::Svc, Arm::SvcMax] {
            let orders = Orders::new()
                .call(Call::RegionRelease, 0, &[1])
                .window(processor)
                .privileged(ArmRegister::VbarEl1.write(), place, 0)
                .instruction(then, 0, 0);
            // Whatever is there is executed: what comes of it is the guest's own.
            evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
            match evil.vm.load(&orders.module()?) {
                Ok(_) => attack.note(&"survived"),
                Err(Error::Interrupted(_)) => attack.note(&"timed out"),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("vectors at {place:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn stacks(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    for stack in [scratch + 8, scratch + 1, 8, u64::MAX, 1 << 63] {
        // Not aligned; or nothing to return to, where the processor does not look at that.
        let orders = Orders::new().instruction(Arm::UseStack, stack, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        let ended = [0x26, 0x24, 0x22, 0x20].contains(&report[0]) && report[2] == 1;
        ensure!(ended, "a stack at {stack:#x}: {report:x?}");
        // EL1's own, which the stub has no use for.
        let orders = Orders::new()
            .privileged(Arm::UseStack, stack, 0)
            .report_faults()
            .privileged_as_it_is(Arm::StackOfEl0)
            .call(Call::RegionReserve, 0, &[4096])
            .report(12, 1);
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[2] <= 1 && report[3] == 0, "EL1's at {stack:#x}: {report:x?}");
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn debug(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let set = |orders: Orders, registers: &[(ArmRegister, u64)]| {
        registers.iter().fold(orders, |o, (of, value)| o.privileged(of.write(), *value, 0))
    };
    let locks = [(ArmRegister::Oslar, 0), (ArmRegister::Osdlr, 0)];
    // Enabled for both levels, all bytes; KDE, MDE, and single steps.
    for control in [0x1e5, 0x1e7, 0x1ff, 0x1fff_1fff, u64::MAX] {
        for mode in [1 << 15, 1 << 13 | 1 << 15, 1 | 1 << 15, u64::MAX] {
            let orders = set(Orders::new(), &locks);
            let orders = set(
                orders,
                &[
                    (ArmRegister::Dbgbvr0, 0x0040_0000),
                    (ArmRegister::Dbgbcr0, control),
                    (ArmRegister::Dbgwvr0, scratch),
                    (ArmRegister::Dbgwcr0, control | 3 << 3),
                    (ArmRegister::Mdscr, mode),
                ],
            );
            let orders = orders
                .put(3, scratch, 1)
                .load(4, scratch)
                .call(Call::RegionReserve, 0, &[4096])
                .report_faults();
            evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
            match evil.vm.load(&orders.module()?) {
                Ok(_) => attack.note(&"survived"),
                Err(Error::Interrupted(_)) => attack.note(&"timed out"),
                Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
                Err(error) => bail!("{control:#x}, {mode:#x}: {error}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

/// Words of code at EL1, written by the window for EL0 and executed by the other.
fn run_at_el1(attack: &Attack, words: &[u32], x0: u64) -> Orders {
    /// In the image's data, behind what the guest itself uses of its scratch memory.
    const PLACE: u64 = 0x8000;
    let processor = attack.processor();
    let place = processor.places.data + PLACE;
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Orders::new().window(processor).set(5, WINDOW + place).bytes(5, 0, &code).privileged(
        Arm::JumpTo,
        x0,
        ARM_PRIVILEGED_WINDOW + place,
    )
}

const ERET: u32 = 0xd69f_03e0;

fn hvc_of(number: u16) -> u32 {
    0xd400_0002 | u32::from(number) << 5
}

fn own_code(attack: &mut Attack) -> Result<()> {
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

/// Whether Linux serves a call itself, as it does those of firmware.
fn serves_calls(attack: &Attack) -> bool {
    attack.setup.backend == Backend::Kvm
}

fn hvc(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let mailbox = Orders::new().call(Call::RegionRelease, 0, &[1]);
    let odd = Arm::ALL.iter().filter(|&&of| {
        let is_odd = (Arm::HvcSwapped as u32..=Arm::HvcReportBit15 as u32).contains(&(of as u32));
        is_odd || of == Arm::Hvc0
    });
    for &of in odd {
        no_call(attack, &mut evil, &mailbox.clone().privileged(of, 0, 0))?;
    }
    // Many more, where the guest may write the instruction.
    let more = if attack.executes_data() { u16::MAX } else { 0 };
    for number in (0..more).step_by(257) {
        let orders = run_at_el1(attack, &[hvc_of(number), ERET], 0);
        no_call(attack, &mut evil, &mailbox.clone().and(&orders))?;
    }
    if !serves_calls(attack) {
        // The two that are the stub's: the mailbox, and a report of nothing.
        attack.survives(&mut evil, &mailbox.clone().privileged(Arm::HvcMailbox, 0, 0))?;
        attack.ends(&mut evil, &Orders::new().privileged(Arm::HvcReport, 0, 0), by_exception)?;
    }
    for of in [Arm::Hvc0, Arm::HvcMailbox, Arm::HvcReport, Arm::HvcMax] {
        let orders = mailbox.clone().instruction(of, 0, 0).report_faults();
        let report = attack.survives(&mut evil, &orders)?;
        ensure!(report[0] == 0 && report[2] == 1, "{of:?} from EL0: {report:x?}");
    }
    attack.count(&evil.vm);
    Ok(())
}

/// Orders that end with a call of the hypervisor's by a number that is none of the stub's.
fn no_call(attack: &mut Attack, evil: &mut Evil, orders: &Orders) -> Result<()> {
    if !serves_calls(attack) {
        let denied = by_exit(|exit| exit == Exit::Unexpected { reason: 0x16 });
        return attack.ends(evil, orders, denied);
    }
    match evil.load(orders) {
        Ok(_) => {}
        Err(Error::Ended(VmEnd::BadExit(exit))) => attack.note(&VmEnd::BadExit(exit)),
        other => bail!("{other:?}"),
    }
    attack.works(evil)
}

fn firmware(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    // SMCCC (DEN 0028) and PSCI (DEN 0022): versions, CPU_ON, SYSTEM_OFF, SYSTEM_RESET, random
    // numbers, the hypervisor's own; PSCI before it was one; nothing.
    let functions = [
        0x8000_0000,
        0x8000_0001,
        0x8000_8000,
        0x8000_7fff,
        0x8400_0000,
        0x8400_0001,
        0x8400_0002,
        0x8400_0008,
        0x8400_0009,
        0x8400_000a,
        0xc400_0003,
        0xc400_000e,
        0xc400_0012,
        0x8400_0053,
        0x8600_ff01,
        0x8600_0000,
        0xc600_0003,
        0x95c1_ba5e,
        0x95c1_ba60,
        u64::MAX,
    ];
    let refused = |end: &VmEnd| {
        matches!(end, VmEnd::BadExit(Exit::Unexpected { .. } | Exit::Halt)) || by_exception(end)
    };
    for function in functions {
        for of in [Arm::Smc0, Arm::SmcMailbox, Arm::SmcReport, Arm::Hvc0] {
            let orders = Orders::new()
                .call(Call::RegionRelease, 0, &[1])
                .set(1, 1)
                .set(3, 0)
                .privileged(of, function, IMAGE_BASE)
                .report_faults();
            evil.vm.set_deadline(Some(Instant::now() + Duration::from_millis(500)));
            match evil.vm.load(&orders.module()?) {
                Ok(_) | Err(Error::Interrupted(_)) => {}
                Err(Error::Ended(end)) if refused(&end) => attack.note(&end),
                other => bail!("{of:?} of {function:#x}: {other:?}"),
            }
            attack.works(&mut evil)?;
        }
    }
    Ok(())
}

fn doorbell(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let rings = serves_calls(attack);
    let mailbox = Orders::new().call(Call::RegionRelease, 0, &[1]);
    for of in [
        Arm::Read8,
        Arm::Read32,
        Arm::Read64,
        Arm::ReadPair,
        Arm::Write8,
        Arm::Write16,
        Arm::Write32,
        Arm::Write64,
        Arm::WritePair,
        Arm::Swap,
        Arm::WriteExclusive,
        Arm::StoreV0,
    ] {
        for offset in [0, 4, layout::RING_FAULT, 12, 0x1000, 0x3ffc, 0x4000] {
            let at = layout::DOORBELL_BASE + offset;
            let orders = mailbox.clone().privileged(of, 0, at).report_faults();
            match evil.run(&orders) {
                Ok(report) => {
                    let delivered = rings && of == Arm::Write32 && offset == layout::RING_MAILBOX;
                    ensure!(report[2] == u64::from(!delivered), "{of:?} at {at:#x}: {report:x?}");
                }
                Err(Error::Ended(end)) if rings => attack.note(&end),
                Err(error) => bail!("{of:?} at {at:#x}: {error}"),
            }
            let report = attack.survives_anew(
                &mut evil,
                &mailbox.clone().instruction(of, 0, at).report_faults(),
            )?;
            ensure!(report[2] == 1, "{of:?} at {at:#x} from EL0: {report:x?}");
        }
    }
    attack.count(&evil.vm);
    attack.works(&mut evil)
}

fn loops(attack: &mut Attack) -> Result<()> {
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
        evil.vm.set_deadline(Some(Instant::now() + Duration::from_secs(1)));
        match evil.vm.load(&orders.module()?) {
            Ok(_) => attack.note(&"survived"),
            Err(Error::Interrupted(_)) => attack.note(&"timed out"),
            Err(Error::Ended(end)) if !matches!(end, VmEnd::Hypervisor(_)) => attack.note(&end),
            Err(error) => bail!("{error}"),
        }
        attack.works(&mut evil)?;
    }
    Ok(())
}

fn residue(attack: &mut Attack) -> Result<()> {
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
fn residue_access(attack: &mut Attack) -> Result<()> {
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
            evil.vm.reset()?;
            let report = attack.survives(&mut evil, &Orders::new().report_entry())?;
            check_entry(attack, &report)?;
            evil.vm.reset()?;
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

//! What tenant A leaves and tenant B may find: in a VM that was reset, and in a new one.
//!
//! The registers that a guest of x86-64 can write, and who puts them back when a vCPU is used again:
//!
//! | registers | source | put back by |
//! |---|---|---|
//! | rax to r15, rip, rflags | SDM 1, 3.4 | `KVM_SET_REGS` |
//! | x87, MXCSR, xmm0 to 15 | SDM 1, 10.5 (FXSAVE) | `KVM_SET_XSAVE` (not `KVM_SET_FPU`: it leaves MXCSR) |
//! | ymm, zmm, k, tiles, PKRU | SDM 1, 13.4 (XSAVE); without OSXSAVE nobody should reach them | `KVM_SET_XSAVE` |
//! | segments, GDTR, IDTR, LDTR, TR | SDM 3, 3.4 | `KVM_SET_SREGS` |
//! | CR0, CR2, CR3, CR4, EFER | SDM 3, 2.5 | `KVM_SET_SREGS` |
//! | CR8 | SDM 3, 2.5 | `kvm_run.cr8`, since there is no interrupt controller |
//! | DR0 to DR3, DR6, DR7 | SDM 3, 19.2 | `KVM_SET_DEBUGREGS` |
//! | KERNEL_GS_BASE, by `swapgs` | SDM 2, SWAPGS; SDM 4, C000_0102 | `KVM_SET_MSRS` |
//! | all other model-specific ones | SDM 4 | nobody: a filter keeps guests from them (`cpu-msrs`) |
//! | pending exceptions | `KVM_GET_VCPU_EVENTS` | `KVM_SET_VCPU_EVENTS` |
//!
//! An access to a port or to memory that has left the VM is completed at the next entry, in
//! registers that are the next tenant's: `residue-instruction`.
//!
//! Of a process: `PTRACE_SETREGS` (with segment bases), and all of XSAVE by `PTRACE_SETREGSET`.
//!
//! Those of an Arm (Arm ARM B1.2, D24.2), of which Apple's vCPU is made anew, KVM's is initialised
//! again, and a process has its sets of registers set:
//!
//! | registers | in a VM of macOS | of KVM | of a process |
//! |---|---|---|---|
//! | x0 to x30, sp, pc, PSTATE | `hv_vcpu_create` | `KVM_ARM_VCPU_INIT` | `NT_PRSTATUS` |
//! | v0 to v31, FPCR, FPSR | the same | the same | `NT_PRFPREG` |
//! | z, p, FFR, ZA, FPMR | CPACR_EL1 keeps guests from them | they are no feature of the vCPU | `NT_ARM_SVE`, `NT_ARM_ZA`, `NT_ARM_FPMR` |
//! | TPIDR_EL0, TPIDR2_EL0, POR_EL0 | `hv_vcpu_create` | `KVM_ARM_VCPU_INIT` | `NT_ARM_TLS`, `NT_ARM_POE` |
//! | those that a boot sets | `hv_vcpu_set_sys_reg` | `KVM_SET_ONE_REG` | EL0 has none of the others |
//! | keys, debug, timers, events, all other ones of EL1 | `hv_vcpu_create` | `KVM_ARM_VCPU_INIT` | |

use super::{EVIL, RINGS, case, x86};
use crate::arch::Places;
use crate::attack::{Attack, Evil, world_folder};
use crate::case::{Case, Guests};
use crate::orders::Orders;
use anyhow::{Result, bail, ensure};
use wrt_abi::cpu::Arch;
use wrt_abi::layout::{
    HEAP_BASE, HEAP_INITIAL, MAILBOX_BASE, REGION_BASE, REGION_STRIDE, STACK_TOP, SYSTEM_BASE,
};
use wrt_abi::services::wasi::FunctionId;
use wrt_abi::{Call, Status};
use wrt_evil::{Arm, SCRATCH_SIZE, WINDOW, X86, secret};
use wrt_vm::{Error, Value, WasiConfig};

pub(super) const CASES: &[Case] = &[
    case("residue-memory-reset", &[13], EVIL, "memory after a reset", memory_after_reset),
    case("residue-memory-new", &[13], EVIL, "memory of a new VM", memory_of_new),
    case("residue-physical", &[13], RINGS, "all of guest-physical memory after a reset", physical),
    case("residue-registers-reset", &[13], EVIL, "registers after a reset", registers_after_reset),
    case("residue-registers-new", &[13], EVIL, "registers of a new VM", registers_of_new),
    x86(
        "an Arm's guests are kept from wider ones: `arm-denied`",
        case("residue-wide-registers", &[13], RINGS, "registers beyond SSE after a reset", wide),
    ),
    x86(
        "an Arm has no segments",
        case("residue-segment-base", &[13], RINGS, "the base that swapgs hides", segment_base),
    ),
    x86(
        "`arm-residue` is about an Arm's",
        case("residue-debug", &[13], RINGS, "debug and control registers after a reset", debug),
    ),
    x86(
        "`arm-residue-access` is about an Arm's",
        case(
            "residue-instruction",
            &[13, 29],
            RINGS,
            "an access that is yet to be completed",
            instruction,
        ),
    ),
    case("residue-world", &[13, 27], EVIL, "files, arguments and environment after a reset", world),
    case("residue-handles", &[27], Guests::Honest, "handles of before a reset", handles),
    case("residue-linear-memory", &[13], Guests::Honest, "a program's memory", linear),
];

/// Tenant A's number.
pub(super) const TENANT: u64 = 0x7e_4a47;
/// Bytes of the regions that A fills.
const REGION: u64 = 2 << 20;

/// Fills all the memory that a guest has by itself and can get.
pub(super) fn fill() -> Orders {
    let reserve = |orders: Orders| {
        orders.call(Call::RegionReserve, 0, &[REGION]).add(6, 14, 0).plant_at(6, 0, REGION, TENANT)
    };
    let orders = Orders::new()
        .call(Call::RegionCommit, 0, &[HEAP_BASE, HEAP_INITIAL + REGION, 0])
        .plant(HEAP_BASE, HEAP_INITIAL + REGION, TENANT)
        .call(Call::RegionCommit, 0, &[REGION_BASE, REGION, REGION])
        .plant(REGION_BASE, REGION, TENANT)
        .scratch(7)
        .plant_at(7, 0, SCRATCH_SIZE as u64, TENANT);
    let orders = reserve(reserve(orders));
    // The mailbox, from its reserved bytes on; the stack, below what is in use.
    orders.plant(MAILBOX_BASE + 176, 0x4000 - 176, TENANT).plant(
        STACK_TOP - (256 << 10),
        200 << 10,
        TENANT,
    )
}

/// Looks for A's secret where A had put it.
pub(super) fn look() -> Orders {
    let reserve = |orders: Orders| orders.call(Call::RegionReserve, 0, &[REGION]).add(6, 14, 0);
    let orders = Orders::new()
        .call(Call::RegionCommit, 0, &[HEAP_BASE, HEAP_INITIAL + REGION, 0])
        .scan(8, HEAP_BASE, HEAP_INITIAL + REGION, TENANT)
        .call(Call::RegionCommit, 0, &[REGION_BASE, REGION, REGION])
        .scan(8, REGION_BASE, REGION, TENANT);
    let orders = reserve(reserve(orders));
    orders
        .scan(8, REGION_BASE + 2 * REGION_STRIDE, REGION, TENANT)
        .scan(8, REGION_BASE + 3 * REGION_STRIDE, REGION, TENANT)
        .scan(8, MAILBOX_BASE + 176, 0x4000 - 176, TENANT)
        // B has the word it looks for in the upper part.
        .scan(8, STACK_TOP - (256 << 10), 200 << 10, TENANT)
        // The image's data, with the scratch memory.
        .scan(8, DATA_START, 256 << 10, TENANT)
}

/// Where the linker puts the image's data: the second large page behind the code's.
const DATA_START: u64 = 0x0060_0000;

fn memory(attack: &mut Attack, next: fn(&mut Attack, Evil) -> Result<Evil>) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.survives(&mut evil, &fill())?;
    // A itself finds it: the search works.
    let found = attack.survives(&mut evil, &Orders::new().scan(8, HEAP_BASE, REGION, TENANT))?;
    ensure!(found[0] == REGION / 8, "A does not find its own: {found:x?}");
    let mut evil = next(attack, evil)?;
    finds_nothing(&attack.survives(&mut evil, &look())?)?;
    attack.count(&evil.vm);
    Ok(())
}

/// What [`look`] reports is nothing of A's, and zeros in regions and heap.
pub(super) fn finds_nothing(found: &[u64]) -> Result<()> {
    for (place, scan) in found.chunks_exact(3).enumerate() {
        ensure!(scan[0] == 0, "B finds {} words of A's in place {place}", scan[0]);
    }
    for scan in [&found[..3], &found[3..6], &found[6..9], &found[9..12]] {
        ensure!(scan == [0; 3], "memory is not zero, or not there: {found:x?}");
    }
    Ok(())
}

fn reset(_: &mut Attack, mut evil: Evil) -> Result<Evil> {
    evil.vm.reset()?;
    Ok(evil)
}

fn anew(attack: &mut Attack, evil: Evil) -> Result<Evil> {
    drop(evil);
    attack.evil()
}

fn memory_after_reset(attack: &mut Attack) -> Result<()> {
    memory(attack, reset)
}

fn memory_of_new(attack: &mut Attack) -> Result<()> {
    memory(attack, anew)
}

/// By tables of the guest's own, what it does not reach by the host's: those, and SYSTEM.
fn physical(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    attack.survives(&mut evil, &fill())?;
    let processor = attack.processor();
    let Places { tables, system, data, .. } = &processor.places;
    let size = tables.end - tables.start;
    // Not the words of SYSTEM that the stub itself reads.
    let plant = Orders::new()
        .window(processor)
        .plant(WINDOW + tables.end - (3 << 20), 3 << 20, TENANT)
        .plant(WINDOW + system + 0x400, 0xc00, TENANT)
        .plant(WINDOW + system + 0x2100, 0x1e00, TENANT)
        .scan(8, WINDOW + tables.start, size, TENANT);
    let found = attack.survives(&mut evil, &plant)?;
    ensure!(found[0] == (3 << 20) / 8, "A does not find its own: {found:x?}");
    evil.vm.reset()?;
    let look = look()
        .window(processor)
        .scan(8, WINDOW + tables.start, size, TENANT)
        .scan(8, WINDOW + system, 0x4000, TENANT)
        .scan(8, WINDOW + data, 120 << 10, TENANT);
    let found = attack.survives(&mut evil, &look)?;
    for (place, scan) in found.chunks_exact(3).enumerate() {
        ensure!(scan[0] == 0, "B finds {} words of A's in place {place}: {found:x?}", scan[0]);
    }
    attack.count(&evil.vm);
    Ok(())
}

fn registers(attack: &mut Attack, next: fn(&mut Attack, Evil) -> Result<Evil>) -> Result<()> {
    let mut evil = attack.evil()?;
    // Stopped in the midst of it: the trap delivers a request that is A's end.
    let orders = Orders::new().call(Call::RegionRelease, 0, &[1]).put(2, MAILBOX_BASE, 0);
    match evil.load(&orders.registers(TENANT)) {
        Err(Error::Ended(end)) => attack.note(&end),
        other => bail!("{other:?}"),
    }
    let mut evil = next(attack, evil)?;
    let report = attack.survives(&mut evil, &Orders::new().report_entry())?;
    check_entry(attack, &report)
}

/// That the next tenant of an attacker's VM begins like any other; and resets it once more.
pub(super) fn next_finds_nothing(attack: &mut Attack, evil: &mut Evil) -> Result<()> {
    let report = attack.survives_anew(evil, &Orders::new().report_entry())?;
    check_entry(attack, &report)?;
    Ok(evil.vm.reset()?)
}

/// A guest's registers at its first instruction, which are the same for all.
pub(super) fn check_entry(attack: &Attack, report: &[u64]) -> Result<()> {
    let word = secret(TENANT);
    ensure!(!report.contains(&word), "A's word is in B's registers: {report:x?}");
    match attack.processor().arch {
        Arch::X86_64 => check_x86_entry(attack, report),
        Arch::Aarch64 => check_arm_entry(attack, report),
    }
}

fn check_x86_entry(attack: &Attack, report: &[u64]) -> Result<()> {
    ensure!(report.len() == X86::ENTRY_WORDS, "{} words", report.len());
    let (general, rest) = report.split_at(16);
    let trap = u64::from(!attack.has_rings());
    let expected = [0, 0, 0, 0, STACK_TOP, 0, 0, trap, 0, 0, 0, 0, 0, 0, 0, 0];
    ensure!(general == expected, "general registers: {general:x?}");
    // All but the flags that are always set, and, in a process, that interrupts are on.
    ensure!(rest[0] & !0x200 == 2, "flags: {:#x}", rest[0]);
    let vectors = &rest[7..];
    let half = |at: usize| vectors[at / 8] >> (at % 8 * 8) & 0xffff;
    ensure!(half(0) == 0x37f, "x87 control: {:#x}", half(0));
    ensure!([half(2), half(4)] == [0, 0], "x87 status and tags: {:#x} {:#x}", half(2), half(4));
    ensure!(vectors[3] & 0xffff_ffff == 0x1f80, "MXCSR: {:#x}", vectors[3]);
    // Last instruction and operand, x87 registers, xmm0 to 15.
    let left: Vec<u64> =
        vectors[1..3].iter().chain(&vectors[4..52]).copied().filter(|&word| word != 0).collect();
    ensure!(left.is_empty(), "x87 or vector registers: {left:x?}");
    Ok(())
}

fn check_arm_entry(attack: &Attack, report: &[u64]) -> Result<()> {
    ensure!(report.len() == Arm::ENTRY_WORDS, "{} words", report.len());
    let mut expected = [0; Arm::ENTRY_WORDS];
    // x0; what the stub had in x16; sp.
    expected[0] = u64::from(!attack.has_rings());
    expected[16] = if attack.has_rings() { SYSTEM_BASE } else { 0 };
    expected[31] = STACK_TOP;
    for (place, (found, expected)) in report.iter().zip(expected).enumerate() {
        ensure!(*found == expected, "word {place} is {found:#x}, and not {expected:#x}");
    }
    Ok(())
}

fn registers_after_reset(attack: &mut Attack) -> Result<()> {
    registers(attack, reset)
}

fn registers_of_new(attack: &mut Attack) -> Result<()> {
    registers(attack, anew)
}

/// Reads with a store instruction, if the guest can execute it, and says how many words are A's
/// and how many are not zero.
fn wide(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    let mut reached = Vec::new();
    for (load, store) in [
        (X86::LoadYmm0, X86::StoreYmm0),
        (X86::LoadYmm15, X86::StoreYmm15),
        (X86::LoadZmm0, X86::StoreZmm0),
        (X86::LoadZmm31, X86::StoreZmm31),
    ] {
        let leave =
            Orders::new().plant(scratch, 64, TENANT).instruction(load, 0, scratch).report_faults();
        let left = attack.survives(&mut evil, &leave)?;
        evil.vm.reset()?;
        if left[2] == 0 {
            reached.push(format!("{load:?}"));
        }
        let find = Orders::new()
            .plant(scratch, 64, 0)
            .instruction(store, 0, scratch)
            .scan(8, scratch, 64, TENANT);
        let found = attack.survives(&mut evil, &find)?;
        ensure!(found[0] == 0, "{store:?}: {} words are A's", found[0]);
    }
    for (write, read) in [(X86::WriteMask, X86::ReadMask), (X86::Wrpkru, X86::Rdpkru)] {
        let leave = Orders::new().set(1, 0).instruction(write, 0x5a5a_5a5a, 0).report_faults();
        let left = attack.survives(&mut evil, &leave)?;
        evil.vm.reset()?;
        if left[2] == 0 {
            reached.push(format!("{write:?}"));
        }
        let find = Orders::new().set(1, 0).instruction(read, 0, 0).report(0, 1).report_faults();
        let found = attack.survives(&mut evil, &find)?;
        ensure!(found[3] != 0 || found[0] != 0x5a5a_5a5a, "{read:?} finds A's word");
    }
    attack.note(&match reached.is_empty() {
        true => "none can be reached".to_owned(),
        false => format!("reached, and found empty: {}", reached.join(", ")),
    });
    Ok(())
}

/// A base that A loads into gs and hides by `swapgs`: B has it back.
fn segment_base(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    // A descriptor of A's in the GDT, in the place of ring 0's data: data of ring 3, its base
    // in bits 16 to 39 and 56 to 63. Then gs is read at 0.
    let base = scratch;
    let descriptor = 0x00cf_f300_0000_ffff | (base & 0xff_ffff) << 16 | (base >> 24 & 0xff) << 56;
    let leave = Orders::new()
        .put(3, scratch, secret(TENANT))
        .privileged(X86::Write64, descriptor, wrt_abi::layout::SYSTEM_BASE + 0x10)
        .privileged(X86::LoadGs, 0x13, 0)
        .instruction(X86::ReadGs, 0, 0)
        .report(0, 1)
        .privileged_as_it_is(X86::Swapgs)
        .report_faults();
    let left = attack.survives(&mut evil, &leave)?;
    ensure!(left[0] == secret(TENANT), "A does not have its base: {left:x?}");
    evil.vm.reset()?;
    let find = Orders::new()
        .put(3, scratch, 0x0b)
        .privileged_as_it_is(X86::Swapgs)
        .instruction(X86::ReadGs, 0, 0)
        .report(0, 1)
        .report_faults();
    let found = attack.survives(&mut evil, &find)?;
    ensure!(found[0] != 0x0b && found[3] == 1, "B has A's base: {found:x?}");
    Ok(())
}

fn debug(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let pairs = [
        (X86::WriteDr0, X86::ReadDr0),
        (X86::WriteDr3, X86::ReadDr3),
        (X86::WriteCr2, X86::ReadCr2),
        (X86::WriteCr8, X86::ReadCr8),
        (X86::WriteDr7, X86::ReadDr7),
    ];
    let value = |of| match of {
        X86::WriteCr8 => 5,
        X86::WriteDr7 => 0x455,
        _ => 0x7e4a_4700,
    };
    let read = |orders: Orders| {
        pairs.iter().fold(orders, |o, &(_, read)| o.privileged(read, 0, 0).report(0, 1))
    };
    let fresh = attack.survives(&mut evil, &read(Orders::new()))?;
    let write =
        pairs.iter().fold(Orders::new(), |o, &(write, _)| o.privileged(write, value(write), 0));
    let left = attack.survives(&mut evil, &read(write))?;
    ensure!(left[..2] == [0x7e4a_4700; 2], "A does not find its own: {left:x?}");
    evil.vm.reset()?;
    let found = attack.survives(&mut evil, &read(Orders::new()))?;
    ensure!(found == fresh, "B finds {found:x?}, and not {fresh:x?}");
    Ok(())
}

/// A leaves by accesses of all kinds; what they return, and where they go on, is not B's.
fn instruction(attack: &mut Attack) -> Result<()> {
    let mut evil = attack.evil()?;
    let processor = attack.processor();
    let scratch = attack.survives(&mut evil, &Orders::new().scratch(6).report(6, 1))?[0];
    for (of, port) in [
        (X86::In8, 0x60),
        (X86::In32, 0xcf8),
        (X86::Out8, 0x80),
        (X86::Out32, 0xcfc),
        (X86::RepIns8, 0x60),
        (X86::RepIns32, 0x60),
        (X86::RepOuts8, 0x60),
        (X86::RepOuts32, 0x60),
        (X86::Read8, WINDOW + 0xfee0_0000),
        (X86::Read64, WINDOW + 0xfee0_0000),
        (X86::Write64, WINDOW + 0xfee0_0000),
        (X86::Exchange, WINDOW + 0xfee0_0000),
        (X86::PushRead, WINDOW + 0xfee0_0000),
        (X86::CopyBytes, 0),
        (X86::FillBytes, 0),
    ] {
        for ring_0 in [false, true] {
            // Ring 0 may touch ring 3's pages: without SMEP and SMAP. Ports need no window, which
            // is what an access to memory is by.
            let orders = match port < WINDOW && port != 0 {
                true => Orders::new(),
                false => Orders::new().privileged(X86::WriteCr4, 0x620, 0).window(processor),
            };
            let orders =
                orders.set(1, u64::MAX).set(2, port).set(4, scratch).set(5, WINDOW + 0xfee0_0000);
            let orders = match ring_0 {
                true => orders.privileged_as_it_is(of),
                false => orders.instruction_as_it_is(of),
            };
            match evil.load(&orders) {
                Ok(_) => {
                    let one = [X86::In8, X86::In32, X86::Out8, X86::Out32].contains(&of);
                    ensure!(!(ring_0 && one), "{of:?} has no end");
                }
                Err(Error::Interrupted(_)) => {}
                Err(Error::Ended(end)) => attack.note(&end),
                Err(error) => bail!("{of:?}: {error}"),
            }
            next_finds_nothing(attack, &mut evil)?;
        }
    }
    attack.count(&evil.vm);
    Ok(())
}

fn world(attack: &mut Attack) -> Result<()> {
    let folder = world_folder()?;
    std::fs::write(folder.join("secret"), b"of tenant A")?;
    let a = WasiConfig::new().args(["a", "secret"]).env("TOKEN", "secret").dir(&folder, "/a");
    let mut evil = attack.evil_in(&Orders::new(), a)?;
    let region = Orders::new().call(Call::RegionReserve, 0, &[1 << 16]).report(14, 1);
    let base = attack.survives(&mut evil, &region)?[0];
    let call = |base: u64, function: FunctionId, args: &[u64]| {
        let call = Orders::new().function(function.import(), base, 1 << 16, args);
        call.report(12, 1).report(14, 1)
    };
    // Opens the file, again and again: descriptors 4 to 35.
    let open = call(base, FunctionId::PathOpen, &[3, 0, 64, 6, 0, 2, 0, 0, 32]);
    let open = Orders::new().set(4, base).bytes(4, 64, b"secret").and(&open);
    for _ in 0..32 {
        let report = attack.survives(&mut evil, &open)?;
        ensure!(report == [Status::Ok as u64, 0], "A cannot open its own: {report:x?}");
    }
    evil.vm.reset_with(WasiConfig::new())?;
    let base = attack.survives(&mut evil, &region)?[0];
    for descriptor in 3..40 {
        for function in
            [FunctionId::FdFdstatGet, FunctionId::FdPrestatGet, FunctionId::FdFilestatGet]
        {
            let report = attack.survives(&mut evil, &call(base, function, &[descriptor, 0]))?;
            ensure!(report != [Status::Ok as u64, 0], "B has A's descriptor {descriptor}");
        }
    }
    for function in [FunctionId::ArgsSizesGet, FunctionId::EnvironSizesGet] {
        let sizes = call(base, function, &[0, 4]);
        let sizes = Orders::new().put(3, base, u64::MAX).and(&sizes).load(5, base).report(5, 1);
        let report = attack.survives(&mut evil, &sizes)?;
        ensure!(report[2] == 0, "B has A's {function:?}: {report:x?}");
    }
    Ok(())
}

fn handles(attack: &mut Attack) -> Result<()> {
    let text =
        r#"(module (memory (export "memory") 1) (func (export "run") (result i32) (i32.const 1)))"#;
    let module = wrt_vm::Module::from_text(text)?;
    let mut vm = attack.honest(WasiConfig::new())?;
    let loaded = vm.load(&module)?;
    let instance = vm.instantiate(loaded)?;
    let run = vm.function(instance, "run")?;
    let memory = vm.memory(instance, "memory")?;
    let mut other = attack.honest(WasiConfig::new())?;
    vm.reset()?;
    for vm in [&mut vm, &mut other] {
        // As many of its own as there were.
        let own = vm.load(&module)?;
        let own = vm.instantiate(own)?;
        let own = vm.function(own, "run")?;
        ensure!(vm.call(&own, &[])? == [Value::I32(1)]);
        let mut bytes = [0; 4];
        for (what, refused) in [
            ("module", vm.instantiate(loaded).is_err()),
            ("instance", vm.function(instance, "run").is_err()),
            ("function", vm.call(&run, &[]).is_err()),
            ("memory", vm.read_memory(memory, 0, &mut bytes).is_err()),
        ] {
            ensure!(refused, "a {what} of before is one of now");
        }
    }
    attack.note(&"refused");
    Ok(())
}

fn linear(attack: &mut Attack) -> Result<()> {
    // Fills a memory to 8 MiB; and counts the words that are not zero.
    let text = r#"(module (memory 1)
        (func (export "fill") (local $at i32)
            (drop (memory.grow (i32.const 127)))
            (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 0x800000)))
        (func (export "run") (result i32) (local $at i32) (local $found i32)
            (drop (memory.grow (i32.const 127)))
            (loop $next
                (if (i64.ne (i64.load (local.get $at)) (i64.const 0))
                    (then (local.set $found (i32.add (local.get $found) (i32.const 1)))))
                (local.set $at (i32.add (local.get $at) (i32.const 64)))
                (br_if $next (i32.lt_u (local.get $at) (i32.const 0x800000))))
            (local.get $found)))"#;
    let module = wrt_vm::Module::from_text(text)?;
    let mut vm = attack.honest(WasiConfig::new())?;
    for round in 0..3 {
        let loaded = vm.load(&module)?;
        let instance = vm.instantiate(loaded)?;
        let run = vm.function(instance, "run")?;
        let found = vm.call(&run, &[])?;
        ensure!(found == [Value::I32(0)], "round {round}: {found:?}");
        let fill = vm.function(instance, "fill")?;
        vm.call(&fill, &[])?;
        match round {
            0 => vm.reset()?,
            _ => vm = attack.honest(WasiConfig::new())?,
        }
    }
    attack.note(&"zero");
    Ok(())
}

//! A VM by hand: memory, a vCPU, and the loop around its exits. The guest is a dozen instructions.
//!
//! `cargo run --example hypervisor -- [kvm|hvf|process]`
//!
//! [`wrt_vm::MicroVm`] does all of this, for a guest kernel that runs WebAssembly.

mod guest;
mod tables;

use guest::{DATA, Guest, HOLE};
use std::error::Error;
use std::ptr::NonNull;
use tables::Page;
use wrt_platform::memory::{Protection, Reservation};
use wrt_vm::Backend;
use wrt_vm::hypervisor::{
    Access, BootState, Descriptors, Exit, Gpa, Gva, Mapping, Vcpu, Vm, available,
};

/// Bytes of a part of memory: a page of the processor with the larger ones.
const PAGE: usize = 16 << 10;

/// Guest-physical addresses: code, which nobody writes, and RAM. There is nothing else.
const CODE_GPA: Gpa = Gpa(0x10_0000);
const RAM_GPA: Gpa = Gpa(0x20_0000);
const HOLE_GPA: Gpa = Gpa(0x30_0000);
/// Offsets in RAM: data, what x86-64 keeps in memory for itself, page tables.
const SYSTEM: usize = PAGE;
const TABLES: usize = 2 * PAGE;
const RAM: usize = TABLES + tables::WORDS * 8;

fn main() -> Result<(), Box<dyn Error>> {
    for found in available() {
        let problem = found.problem.map(|problem| problem.reason());
        println!("{}: {}", found.backend.name(), problem.as_deref().unwrap_or("works"));
    }
    let wanted = std::env::args().nth(1);
    let backend: Backend = wanted.as_deref().unwrap_or("auto").parse()?;
    let hypervisor = backend.open()?;
    // Outlives the VM.
    let memory = Reservation::new(RAM)?;
    let mut vm = hypervisor.create_vm()?;
    println!("a VM of {}: {}", hypervisor.name(), vm.boundary());

    let guest = Guest::of(hypervisor.arch(), vm.as_ref());
    let access = Access::READ | Access::EXECUTE;
    let code = Mapping { gpa: CODE_GPA, host: guest.code(), len: PAGE as u64, access };
    let access = Access::READ | Access::WRITE;
    let ram = Mapping { gpa: RAM_GPA, host: memory.base(), len: RAM as u64, access };
    // SAFETY: the code is static, and only read. The RAM's address space is new, outlives the VM,
    // and is touched while the vCPU is stopped alone.
    unsafe {
        vm.map(code)?;
        vm.map(ram)?;
    }
    memory.protect(0, memory.len(), Protection::ReadWrite)?;
    let state = prepare(&guest, vm.as_mut(), &memory)?;
    let mut vcpu = vm.create_vcpu()?;
    vcpu.set_boot_state(&state)?;
    run(vcpu.as_mut(), memory.base())
}

/// Gives the guest its addresses. Returns where, and with which of them, it starts.
fn prepare(
    guest: &Guest,
    vm: &mut dyn Vm,
    memory: &Reservation,
) -> Result<BootState, Box<dyn Error>> {
    let entry = Gva(guest::ENTRY);
    let page = |gva, gpa| {
        let access = Access::READ | Access::WRITE;
        Page { gva: Gva(gva), gpa, access, privileged: false }
    };
    let code = Page { access: Access::READ | Access::EXECUTE, ..page(guest::CODE, CODE_GPA) };
    let data = page(DATA, RAM_GPA);
    // A child process has its addresses from the system.
    if let Some(space) = vm.address_space() {
        for Page { gva, gpa, access, .. } in [code, data] {
            space.map(gva, gpa, PAGE as u64, access)?;
        }
        return Ok(BootState { entry, ..BootState::default() });
    }
    let system = page(guest::SYSTEM, Gpa(RAM_GPA.0 + SYSTEM as u64));
    let system = Page { privileged: true, ..system };
    let mut pages = vec![code, data, system, page(HOLE, HOLE_GPA)];
    pages.extend(vm.doorbell().map(|gpa| page(guest::BELL, gpa)));
    let page_tables = Gpa(RAM_GPA.0 + TABLES as u64);
    // SAFETY: these parts of RAM are accessible, aligned, and apart; the vCPU is stopped.
    let (system, tables) = unsafe {
        let [system, tables] = [SYSTEM, TABLES].map(|at| memory.base().add(at));
        (system.cast().as_mut(), tables.cast::<[u64; tables::WORDS]>().as_mut())
    };
    guest.format().write(tables, page_tables, &pages);
    let tss = (Gva(guest::SYSTEM), guest::write_port_permissions(system));
    let descriptors = Descriptors { tss, ..Descriptors::default() };
    Ok(BootState { entry, page_tables, descriptors, ..BootState::default() })
}

/// Serves the guest until it does what it should not.
fn run(vcpu: &mut dyn Vcpu, ram: NonNull<u8>) -> Result<(), Box<dyn Error>> {
    let data = ram.cast::<u32>();
    loop {
        match vcpu.run()? {
            Exit::Mailbox => {
                // SAFETY: the first word of RAM, while the vCPU is stopped. Volatile: others write
                // it, too.
                let word = unsafe { data.read_volatile() };
                let answer = word.wrapping_mul(2);
                println!("the guest has {word}, and gets {answer} for it");
                // SAFETY: as before.
                unsafe { data.write_volatile(answer) };
            }
            Exit::Memory { gpa, write } => {
                let what = if write { "writes" } else { "reads" };
                println!("the guest {what} at {gpa}, where nothing is: its end");
                return Ok(());
            }
            // There is no memory but what the process has.
            Exit::Fault(fault) if fault.address == Some(HOLE) => {
                println!("the guest touches {HOLE:#x}, where nothing is: its end");
                return Ok(());
            }
            other => return Err(format!("not an exit of this guest's: {other:?}").into()),
        }
    }
}

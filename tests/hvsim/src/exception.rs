//! What Unicorn leaves out.
//!
//! It runs both exception levels, translation and `eret`, but where a processor would take an
//! exception it calls a hook instead. This does what the processor would have done, for those
//! that a guest takes itself (Arm ARM D1.3.1, "Exception entry terminology and behaviors").

use unicorn_engine::{RegisterARM64 as Reg, RegisterARM64CP, Unicorn};

/// Unicorn, with nothing of ours in it.
pub(crate) type Engine<'a> = Unicorn<'a, ()>;

// PSTATE.
const EL1H_MASKED: u64 = 0x3c5;
const PAN: u64 = 1 << 22;
/// SCTLR_EL1.SPAN: exceptions leave PAN as it is.
const SPAN: u64 = 1 << 23;

/// Numbers of the hook's reasons (`target/arm/cpu.h` of QEMU, EXCP_...).
pub(crate) mod reason {
    pub(crate) const UNDEFINED: u32 = 1;
    pub(crate) const SUPERVISOR_CALL: u32 = 2;
    pub(crate) const PREFETCH_ABORT: u32 = 3;
    pub(crate) const DATA_ABORT: u32 = 4;
    pub(crate) const BREAKPOINT: u32 = 7;
    pub(crate) const HYPERVISOR_CALL: u32 = 11;
}

/// A system register by its encoding.
pub(crate) fn system(op0: u32, op1: u32, crn: u32, crm: u32, op2: u32) -> RegisterARM64CP {
    RegisterARM64CP { crn, crm, op0, op1, op2, val: 0 }
}

/// Reads a system register; `None` if there is none.
pub(crate) fn read_system(engine: &Engine<'_>, register: RegisterARM64CP) -> Option<u64> {
    let mut register = register;
    engine.reg_read_arm64_coproc(&mut register).ok()?;
    Some(register.val)
}

/// Writes a system register; whether there is one.
pub(crate) fn write_system(engine: &mut Engine<'_>, register: RegisterARM64CP, val: u64) -> bool {
    engine.reg_write_arm64_coproc(&RegisterARM64CP { val, ..register }).is_ok()
}

/// Reads a register that is always there.
pub(crate) fn read(engine: &Engine<'_>, register: Reg) -> u64 {
    engine.reg_read(register).expect("a register of the architecture")
}

/// Writes a register that is always there.
pub(crate) fn write(engine: &mut Engine<'_>, register: Reg, value: u64) {
    engine.reg_write(register, value).expect("a register of the architecture");
}

/// The stack pointer of a PSTATE.
fn stack_of(pstate: u64) -> Reg {
    if pstate & 1 == 0 { Reg::SP_EL0 } else { Reg::SP_EL1 }
}

/// Sets PSTATE, and has the stack pointer follow it.
pub(crate) fn set_pstate(engine: &mut Engine<'_>, pstate: u64) {
    let old = read(engine, Reg::PSTATE);
    let stack = read(engine, Reg::SP);
    write(engine, stack_of(old), stack);
    write(engine, Reg::PSTATE, pstate);
    let stack = read(engine, stack_of(pstate));
    write(engine, Reg::SP, stack);
    rebuild(engine);
}

/// Has the translator notice that the state was changed behind its back: a write of any
/// system register does (here TPIDR_EL1, to what it was).
fn rebuild(engine: &mut Engine<'_>) {
    let register = system(3, 0, 13, 0, 4);
    if let Some(value) = read_system(engine, register) {
        write_system(engine, register, value);
    }
}

/// Takes an exception to EL1.
pub(crate) fn take(engine: &mut Engine<'_>, syndrome: u64, far: Option<u64>, back: u64) {
    let old = read(engine, Reg::PSTATE);
    write(engine, Reg::ELR_EL1, back);
    write_system(engine, system(3, 0, 4, 0, 0), old);
    write(engine, Reg::ESR_EL1, syndrome);
    if let Some(far) = far {
        write(engine, Reg::FAR_EL1, far);
    }
    let span = read_system(engine, system(3, 0, 1, 0, 0)).is_some_and(|sctlr| sctlr & SPAN != 0);
    let pan = if span { old & PAN } else { PAN };
    // From EL0; from EL1 on the stack pointer of EL0; from EL1 on its own.
    let offset = match old & 0xf {
        0 => 0x400,
        4 => 0,
        _ => 0x200,
    };
    let vectors = read(engine, Reg::VBAR_EL1);
    set_pstate(engine, EL1H_MASKED | pan);
    engine.set_pc(vectors.wrapping_add(offset)).expect("a program counter");
}

//! 64-bit Arm.

use super::{IMAGE_GPA, Places, Processor};
use wrt_abi::cpu::Arch;
use wrt_evil::{Arm, ArmRegister};

pub(super) const PROCESSOR: Processor = Processor {
    arch: Arch::Aarch64,
    places: Places {
        tables: 0x0010_0000..0x0110_0000,
        table: 16 << 10,
        system: 0x0110_4000,
        data: 0x0110_c000,
        image: &[IMAGE_GPA],
    },
    instructions: Arm::NUMBERS,
    name,
    undefined: Arm::Udf as u32,
    wait: Arm::Wfi as u32,
    set_stack: Arm::SetStack as u32,
    // Aborts of data and of an instruction, from EL0.
    access: 0x24,
    fetch: 0x20,
    no_address: 0x20..=0x24,
    // mov w0, #7; ret
    seven: &[0xe0, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6],
    use_root: |orders, root| {
        orders.privileged(ArmRegister::Ttbr0El1.write(), root, 0).privileged_as_it_is(Arm::TlbiAll)
    },
};

/// What an instruction is called: those of registers follow the others.
fn name(of: u32) -> String {
    let number = of as usize;
    if let Some(instruction) = Arm::ALL.get(number) {
        return format!("{instruction:?}");
    }
    let rest = number - Arm::ALL.len();
    let what = if rest.is_multiple_of(2) { "a read of" } else { "a write of" };
    format!("{what} {:?}", ArmRegister::ALL.get(rest / 2))
}

/// Floating-point settings of this thread.
#[cfg(target_arch = "aarch64")]
pub(crate) fn settings() -> [u64; 1] {
    let control: u64;
    // SAFETY: reads a register.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) control) };
    [control]
}

//! 64-bit x86.

use super::{IMAGE_GPA, Places, Processor};
use wrt_abi::cpu::Arch;
use wrt_evil::X86;

pub(super) const PROCESSOR: Processor = Processor {
    arch: Arch::X86_64,
    places: Places {
        tables: 0x0010_0000..0x0050_0000,
        table: 4096,
        system: 0x0050_4000,
        data: 0x0050_c000,
        // Code is a copy that all VMs have.
        image: &[IMAGE_GPA, 0x4200_0000],
    },
    instructions: X86::NUMBERS,
    name: |of| format!("{:?}", X86::ALL.get(of as usize)),
    undefined: X86::Ud2 as u32,
    wait: X86::Hlt as u32,
    set_stack: X86::SetStack as u32,
    access: 14,
    fetch: 14,
    no_address: 12..=14,
    // mov $7, %eax; ret
    seven: &[0xb8, 7, 0, 0, 0, 0xc3],
    use_root: |orders, root| orders.privileged(X86::WriteCr3, root, 0),
};

/// Flags and floating-point settings of this thread.
#[cfg(target_arch = "x86_64")]
pub(crate) fn settings() -> [u64; 3] {
    use std::arch::asm;
    let flags: u64;
    let (mut vectors, mut control) = (0_u32, 0_u16);
    // SAFETY: reads registers, and stores two of them to variables of their sizes.
    unsafe {
        asm!("pushfq", "pop {}", out(reg) flags);
        asm!("stmxcsr [{}]", "fnstcw [{}]", in(reg) &raw mut vectors, in(reg) &raw mut control);
    }
    // Direction, nested task, alignment check; not what arithmetic leaves.
    [flags & (1 << 10 | 1 << 14 | 1 << 18), (vectors & !0x3f).into(), control.into()]
}

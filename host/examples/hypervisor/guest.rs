//! The guest: it counts, has the host double what it has, and touches what is not there.

use crate::tables::{ARM, Format, X86_64};
use std::ptr::NonNull;
use wrt_vm::compiler::Arch;
use wrt_vm::hypervisor::Vm;

/// Guest-virtual addresses. An Arm starts 0x800 bytes behind its vectors, of which there are none.
pub(crate) const CODE: u64 = 0x20_0000;
pub(crate) const ENTRY: u64 = CODE + START as u64;
pub(crate) const DATA: u64 = CODE + 0x1_0000;
pub(crate) const SYSTEM: u64 = CODE + 0x2_0000;
pub(crate) const BELL: u64 = CODE + 0x3_0000;
pub(crate) const HOLE: u64 = CODE + 0x4_0000;

const START: usize = 0x800;
/// The port whose `out` is a call.
const PORT: u16 = 0x0a00;

/// What it is to execute, on pages of its own.
#[repr(C, align(16384))]
struct Code([u8; 16384]);

const fn x86_64(trap: [u8; 2]) -> Code {
    let code = [
        0xbb, 0x00, 0x00, 0x21, 0x00, //             mov ebx, DATA
        0xba, 0x00, 0x0a, 0x00, 0x00, //             mov edx, PORT
        0xc7, 0x03, 0x07, 0x00, 0x00, 0x00, //       mov dword [rbx], 7
        trap[0], trap[1], //                      1:
        0xff, 0x03, //                               inc dword [rbx]
        0x83, 0x3b, 0x64, //                         cmp dword [rbx], 100
        0x72, 0xf7, //                               jb 1b
        0x8b, 0x83, 0x00, 0x00, 0x03, 0x00, //       mov eax, [rbx + HOLE - DATA]
    ];
    let mut page = [0; 16384];
    page.split_at_mut(START).1.split_at_mut(code.len()).0.copy_from_slice(&code);
    Code(page)
}

const fn arm(trap: u32) -> Code {
    let code: [u32; 12] = [
        0xd2a0_0421, //    movz x1, #DATA >> 16, lsl #16
        0xd2a0_0462, //    movz x2, #BELL >> 16, lsl #16
        0x5280_00e0, //    mov w0, #7
        0xb900_0020, //    str w0, [x1]
        trap,        // 1:
        0xb940_0020, //    ldr w0, [x1]
        0x1100_0400, //    add w0, w0, #1
        0xb900_0020, //    str w0, [x1]
        0x7101_901f, //    cmp w0, #100
        0x54ff_ff63, //    b.lo 1b
        0xd2a0_0481, //    movz x1, #HOLE >> 16, lsl #16
        0xb940_0020, //    ldr w0, [x1]
    ];
    let mut page = [0; 16384];
    let mut at = 0;
    while at < code.len() {
        let place = page.split_at_mut(START + 4 * at).1.split_at_mut(4).0;
        place.copy_from_slice(&code[at].to_le_bytes());
        at += 1;
    }
    Code(page)
}

// How each calls its host.
static OUT: Code = x86_64([0xee, 0x90]);
static INT3: Code = x86_64([0xcc, 0x90]);
static HVC: Code = arm(0xd401_4002); // hvc #0x0a00
static RING: Code = arm(0xb900_005f); // str wzr, [x2]
static BRK: Code = arm(0xd420_0000); // brk #0

/// A processor's guest.
pub(crate) struct Guest {
    code: &'static Code,
    format: &'static Format,
}

impl Guest {
    /// One for this processor, and this VM's way to be called.
    pub(crate) fn of(arch: Arch, vm: &dyn Vm) -> Self {
        let child = vm.child().is_some();
        let (code, format) = match arch {
            Arch::X86_64 if child => (&INT3, &X86_64),
            Arch::X86_64 => (&OUT, &X86_64),
            Arch::Aarch64 if child => (&BRK, &ARM),
            Arch::Aarch64 if vm.doorbell().is_some() => (&RING, &ARM),
            Arch::Aarch64 => (&HVC, &ARM),
        };
        Self { code, format }
    }

    /// Its page of code.
    pub(crate) fn code(&self) -> NonNull<u8> {
        NonNull::from(self.code).cast()
    }

    /// How its page tables look.
    pub(crate) fn format(&self) -> &'static Format {
        self.format
    }
}

/// Writes a task state segment (Intel SDM volume 3A, 8.7) that lets ring 3 use the port, and no
/// other. Returns its limit. No Arm looks at it.
pub(crate) fn write_port_permissions(system: &mut [u8; 16384]) -> u16 {
    const BITMAP: u16 = 104;
    const LAST: u16 = BITMAP + PORT / 8 + 1;
    system[102..104].copy_from_slice(&BITMAP.to_le_bytes());
    system[usize::from(BITMAP)..=usize::from(LAST)].fill(0xff);
    system[usize::from(BITMAP + PORT / 8)] &= !(1 << (PORT % 8));
    LAST
}

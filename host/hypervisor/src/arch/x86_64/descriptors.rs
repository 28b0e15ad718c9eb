//! The privileged structures: GDT, IDT, TSS with its I/O bitmap, and the stub's stack.
//!
//! ```text
//! SYSTEM_BASE + 0x0000  GDT
//!             + 0x0100  TSS, I/O bitmap up to the mailbox's port
//!             + 0x1000  IDT, 32 vectors
//!             + 0x2000  the stub's stack, grows down from + 0x4000
//! ```
//! Formats: Intel SDM volume 3A, 3.4.5 (descriptors), 7.2.3 and 8.7 (64-bit gates and TSS);
//! volume 1, 19.5.2 (I/O permission bitmap).
#![expect(clippy::cast_possible_truncation, reason = "constants, far below 16 bits")]

use super::super::{Gva, SYSTEM_SIZE};
use wrt_abi::layout::{IMAGE_BASE, SYSTEM_BASE, X86_MAILBOX_PORT, X86_VECTOR_STRIDE};

const GDT_OFFSET: usize = 0;
const TSS_OFFSET: usize = 0x100;
const IDT_OFFSET: usize = 0x1000;
pub(super) const STUB_STACK_TOP: usize = SYSTEM_SIZE;

const VECTORS: usize = 32;
/// Size of a 64-bit TSS before its I/O bitmap.
const TSS_SIZE: usize = 104;
/// The bitmap reaches just past the mailbox's port; ports beyond it are denied.
const BITMAP_SIZE: usize = X86_MAILBOX_PORT as usize / 8 + 1;
/// The processor reads one byte more than it needs, and wants it all ones.
const TSS_LIMIT: u16 = (TSS_SIZE + BITMAP_SIZE) as u16;

const _: () = assert!(TSS_OFFSET + (TSS_LIMIT as usize) < IDT_OFFSET);
const _: () = assert!(IDT_OFFSET + VECTORS * 16 <= 0x2000);

/// Selectors into the GDT.
pub mod selectors {
    /// Code of the stub, ring 0.
    pub const KERNEL_CODE: u16 = 0x08;
    /// Data of the runtime, ring 3.
    pub const USER_DATA: u16 = 0x18 | 3;
    /// Code of the runtime, ring 3.
    pub const USER_CODE: u16 = 0x20 | 3;
    /// The task state segment.
    pub const TSS: u16 = 0x28;
}

/// Where the processor finds its descriptor tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Global descriptor table: address and limit.
    pub gdt: (Gva, u16),
    /// Interrupt descriptor table: address and limit.
    pub idt: (Gva, u16),
    /// Task state segment: address and limit.
    pub tss: (Gva, u16),
}

/// Writes the structures into zeroed memory and says where they are.
pub(in super::super) fn build_system(system: &mut [u8; SYSTEM_SIZE]) -> Descriptors {
    let tss = SYSTEM_BASE + TSS_OFFSET as u64;
    let gdt = [
        0,
        // Ring 0 code, ring 0 data, ring 3 data, ring 3 code: flat, present, accessed.
        0x00af_9b00_0000_ffff,
        0x00cf_9300_0000_ffff,
        0x00cf_f300_0000_ffff,
        0x00af_fb00_0000_ffff,
        // TSS: type 11 (busy), present; its base is spread over two words.
        u64::from(TSS_LIMIT) | (tss & 0xff_ffff) << 16 | 0x8b << 40 | (tss >> 24 & 0xff) << 56,
        tss >> 32,
    ];
    put(system, GDT_OFFSET, &gdt);

    // RSP0 at 4, I/O map base at 102.
    let stub_stack = SYSTEM_BASE + STUB_STACK_TOP as u64;
    system[TSS_OFFSET + 4..TSS_OFFSET + 12].copy_from_slice(&stub_stack.to_le_bytes());
    let bitmap_base = (TSS_SIZE as u16).to_le_bytes();
    system[TSS_OFFSET + 102..TSS_OFFSET + 104].copy_from_slice(&bitmap_base);
    let bitmap = TSS_OFFSET + TSS_SIZE;
    system[bitmap..=bitmap + BITMAP_SIZE].fill(0xff);
    let port = usize::from(X86_MAILBOX_PORT);
    system[bitmap + port / 8] &= !(1 << (port % 8));

    for vector in 0..VECTORS {
        let handler = IMAGE_BASE + vector as u64 * X86_VECTOR_STRIDE;
        // Present interrupt gate, reachable from ring 0 only: `int n` of the runtime is #GP.
        let low = handler & 0xffff
            | u64::from(selectors::KERNEL_CODE) << 16
            | 0x8e << 40
            | (handler >> 16 & 0xffff) << 48;
        put(system, IDT_OFFSET + vector * 16, &[low, handler >> 32]);
    }

    Descriptors {
        gdt: (Gva(SYSTEM_BASE + GDT_OFFSET as u64), (gdt.len() * 8 - 1) as u16),
        idt: (Gva(SYSTEM_BASE + IDT_OFFSET as u64), (VECTORS * 16 - 1) as u16),
        tss: (Gva(tss), TSS_LIMIT),
    }
}

fn put(to: &mut [u8], at: usize, words: &[u64]) {
    for (chunk, word) in to[at..].chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Box<[u8; SYSTEM_SIZE]> {
        let mut system = Box::new([0; SYSTEM_SIZE]);
        build_system(&mut system);
        system
    }

    #[test]
    fn exactly_one_port_is_open() {
        let system = built();
        let bitmap = &system[TSS_OFFSET + TSS_SIZE..][..BITMAP_SIZE + 1];
        let open: Vec<usize> =
            (0..bitmap.len() * 8).filter(|port| bitmap[port / 8] & 1 << (port % 8) == 0).collect();
        assert_eq!(open, [usize::from(X86_MAILBOX_PORT)]);
    }

    #[test]
    fn gates_lead_into_the_stub_and_are_closed_to_ring_3() {
        let system = built();
        for vector in 0..VECTORS {
            let gate = &system[IDT_OFFSET + vector * 16..][..16];
            assert_eq!(gate[5], 0x8e, "present, DPL 0, interrupt gate");
            let low = u16::from_le_bytes([gate[0], gate[1]]);
            let middle = u16::from_le_bytes([gate[6], gate[7]]);
            let handler = u64::from(low) | u64::from(middle) << 16;
            assert_eq!(handler, IMAGE_BASE + vector as u64 * X86_VECTOR_STRIDE);
        }
    }
}

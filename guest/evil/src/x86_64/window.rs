//! Page tables of the guest's own making.
//!
//! The host's tables are in memory that no address leads to. Ring 0 knows where: CR3 says. So a
//! root of our own takes over what the old one leads to below 512 GiB, since the host makes that
//! table first, and has all guest-physical memory besides, by pages of 2 MiB.

use crate::gate::privileged;
use wrt_evil::{WINDOW, X86};

const PRESENT_WRITABLE_USER: u64 = 7;
const LARGE: u64 = 1 << 7;
const GIB: u64 = 1 << 30;

#[repr(C, align(4096))]
struct Table([u64; 512]);

impl Table {
    const EMPTY: Self = Self([0; 512]);
}

/// Which GiB the tables lead to: RAM and what is around it, chunks, the top of the 36 bits that
/// there are, and one beyond.
const GIBS: [u64; 7] = [0, 1, 3, 4, 5, 63, 64];

static mut ROOT: Table = Table::EMPTY;
static mut MIDDLE: Table = Table::EMPTY;
static mut LEAVES: [Table; GIBS.len()] = [Table::EMPTY; GIBS.len()];

/// Puts them to use. `data` is the guest-physical address of the image's data.
pub fn open(data: u64) {
    let mut registers = [0; 6];
    privileged(&mut registers, X86::ReadCr3 as u32);
    let old = registers[0] & !0xfff;
    let physical = |address: usize| data + (address as u64 - data_start());
    // SAFETY: there is one thread, and these are its own.
    unsafe {
        let (root, middle) = (&raw mut ROOT, &raw mut MIDDLE);
        (*root).0[0] = (old + 0x1000) | PRESENT_WRITABLE_USER;
        (*root).0[(WINDOW >> 39) as usize] = physical(middle.addr()) | PRESENT_WRITABLE_USER;
        for (number, gib) in GIBS.into_iter().enumerate() {
            let leaves = (&raw mut LEAVES).cast::<Table>().add(number);
            for (page, entry) in (*leaves).0.iter_mut().enumerate() {
                *entry = (gib * GIB + ((page as u64) << 21)) | LARGE | PRESENT_WRITABLE_USER;
            }
            (*middle).0[gib as usize] = physical(leaves.addr()) | PRESENT_WRITABLE_USER;
        }
        registers[0] = physical(root.addr());
    }
    privileged(&mut registers, X86::WriteCr3 as u32);
}

/// First address of the image's data: the linker puts it at a large page's start.
fn data_start() -> u64 {
    (&raw const ROOT).addr() as u64 & !((2 << 20) - 1)
}

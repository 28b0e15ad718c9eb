//! Translations of the guest's own making.
//!
//! The host's tables are in memory that no address leads to. EL1 knows where: TTBR0_EL1 says. So
//! a root of our own takes over what the old one leads to below 64 GiB, since the host makes that
//! table first, and has all guest-physical memory besides, by blocks of 32 MiB. By that the old
//! root is given the same entries, and used again: the host goes on editing it.

use crate::gate::privileged;
use wrt_evil::{ARM_PRIVILEGED_WINDOW, Arm, ArmRegister, WINDOW};

// Descriptors: Arm ARM D8.3, for a granule of 16 KiB.
const TABLE: u64 = 3;
/// A block of normal memory, shared, accessed.
const BLOCK: u64 = 1 | 3 << 8 | 1 << 10;
/// EL0 may, too: read, write and execute. EL1 executes nothing of it.
const USER: u64 = 1 << 6;
const ADDRESS: u64 = 0x0000_ffff_ffff_c000;

const BLOCK_BITS: u32 = 25;
/// What an entry of the root leads to: 64 GiB, all that guests have addresses for.
const ROOT_BITS: u32 = 36;
const ENTRIES: usize = 2048;

#[repr(C, align(16384))]
struct Table([u64; ENTRIES]);

impl Table {
    const EMPTY: Self = Self([0; ENTRIES]);
}

static mut ROOT: Table = Table::EMPTY;
static mut ALL: Table = Table::EMPTY;
static mut BEYOND: Table = Table::EMPTY;
static mut PRIVILEGED: Table = Table::EMPTY;

/// Puts them to use. `data` is the guest-physical address of the image's data.
pub fn open(data: u64) {
    let mut registers = [0; 6];
    privileged(&mut registers, ArmRegister::Ttbr0El1.read());
    let old = registers[0] & ADDRESS;
    let table = |address: usize| (data + (address as u64 - data_start())) | TABLE;
    let (root, all) = (&raw mut ROOT, &raw mut ALL);
    let (beyond, privileged) = (&raw mut BEYOND, &raw mut PRIVILEGED);
    let entries = [
        (WINDOW, table(all.addr())),
        (WINDOW + (1 << ROOT_BITS), table(beyond.addr())),
        (ARM_PRIVILEGED_WINDOW, table(privileged.addr())),
    ];
    // SAFETY: there is one thread, and these are its own.
    unsafe {
        for number in 0..ENTRIES {
            let address = (number as u64) << BLOCK_BITS;
            (*all).0[number] = address | BLOCK | USER;
            (*beyond).0[number] = (1 << ROOT_BITS) | address | BLOCK | USER;
            (*privileged).0[number] = address | BLOCK;
        }
        (*root).0[0] = (old + 0x4000) | TABLE;
        for (place, entry) in entries {
            (*root).0[(place >> ROOT_BITS) as usize] = entry;
        }
    }
    use_root(table(root.addr()) & ADDRESS);
    for (place, entry) in entries {
        super::write(WINDOW + old + 8 * (place >> ROOT_BITS), entry, 3);
    }
    use_root(old);
}

fn use_root(root: u64) {
    privileged(&mut [root, 0, 0, 0, 0, 0], ArmRegister::Ttbr0El1.write());
    privileged(&mut [0; 6], Arm::TlbiAll as u32);
}

/// First address of the image's data: the linker puts it at a large page of x86's start.
fn data_start() -> u64 {
    (&raw const ROOT).addr() as u64 & !((2 << 20) - 1)
}

//! Entries of page tables as the processors' manuals have them read: an opinion of its own, to
//! test against.

use super::Access;
use super::paging::LARGE_LEVEL;
use wrt_abi::cpu::Arch;

/// What an entry means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The addresses lead nowhere.
    Nothing,
    /// Address of another table.
    Table(u64),
    /// A page.
    Page {
        /// Its address.
        address: u64,
        /// What may be done with it.
        access: Access,
        /// Whether the runtime may, or only the stub.
        user: bool,
        /// Whether it is a large page.
        large: bool,
    },
}

/// Reads an entry of a table of this level.
pub fn read(arch: Arch, entry: u64, level: u8) -> Entry {
    match arch {
        Arch::X86_64 => x86_64(entry, level),
        Arch::Aarch64 => aarch64(entry, level),
    }
}

/// Intel SDM volume 3A, 5.5, tables 5-15 to 5-20.
fn x86_64(entry: u64, level: u8) -> Entry {
    let bit = |n: u32| entry >> n & 1 == 1;
    let address = entry & 0x000f_ffff_ffff_f000;
    let large = level == LARGE_LEVEL && bit(7);
    match (bit(0), level > 1 && !large) {
        (false, _) => Entry::Nothing,
        (true, true) => Entry::Table(address),
        (true, false) => {
            let mut access = Access::READ;
            access.set(Access::WRITE, bit(1));
            access.set(Access::EXECUTE, !bit(63));
            Entry::Page { address, access, user: bit(2), large }
        }
    }
}

/// Arm ARM D8.3.1 and D8.3.2, for a granule of 16 KiB.
fn aarch64(entry: u64, level: u8) -> Entry {
    let bit = |n: u32| entry >> n & 1 == 1;
    let address = entry & 0x0000_ffff_ffff_c000;
    match (bit(0), bit(1), level) {
        (true, true, 2..) => return Entry::Table(address),
        (true, true, 1) | (true, false, LARGE_LEVEL) => {}
        _ => return Entry::Nothing,
    }
    assert!(bit(10), "the access flag");
    let user = bit(6);
    // UXN and PXN: one is of who may reach the page at all; the other side has no business.
    let (own, other) = if user { (54, 53) } else { (53, 54) };
    assert!(bit(other), "executable for the other side");
    let mut access = Access::READ;
    access.set(Access::WRITE, !bit(7));
    access.set(Access::EXECUTE, !bit(own));
    Entry::Page { address, access, user, large: !bit(1) }
}

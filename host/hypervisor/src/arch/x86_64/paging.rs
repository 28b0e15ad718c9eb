//! Entries of page tables. Format: Intel SDM volume 3A, 5.5 "4-level paging".

use super::super::paging::{Format, Leaf};
use super::super::{Access, Gpa};

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
/// Accessed and dirty from the start: the processor need not write them.
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

/// Pages of 4 KiB and of 2 MiB.
pub(crate) const FORMAT: Format = Format { page_bits: 12, root: 4, leaf, table };

fn leaf(Leaf { gpa, access, user, large }: Leaf) -> u64 {
    let mut entry = gpa.0 | PRESENT | ACCESSED | DIRTY;
    for (set, bit) in [
        (access.contains(Access::WRITE), WRITABLE),
        (user, USER),
        (large, LARGE),
        (!access.contains(Access::EXECUTE), NO_EXECUTE),
    ] {
        if set {
            entry |= bit;
        }
    }
    entry
}

/// The leaf decides what is allowed; W^X is the leaf's.
fn table(gpa: Gpa) -> u64 {
    gpa.0 | PRESENT | WRITABLE | USER | ACCESSED
}

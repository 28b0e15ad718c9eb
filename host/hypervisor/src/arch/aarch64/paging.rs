//! Descriptors of translation tables. Format: Arm ARM D8.3, "VMSAv8-64 descriptor formats",
//! with a granule of 16 KiB: 47 bits of address in three levels.

use super::super::paging::{Format, Leaf};
use super::super::{Access, Gpa};

const VALID: u64 = 1;
/// Of a level that is not the last: a table. Of the last: a page.
const TABLE_OR_PAGE: u64 = 1 << 1;
/// AP\[1\]: EL0 may, too.
const USER: u64 = 1 << 6;
/// AP\[2\].
const READ_ONLY: u64 = 1 << 7;
/// As the kernel of the host and all its processors have the memory.
const INNER_SHAREABLE: u64 = 3 << 8;
/// Accessed from the start: the processor need not say so, or fault.
const ACCESSED: u64 = 1 << 10;
const PRIVILEGED_NO_EXECUTE: u64 = 1 << 53;
const NO_EXECUTE: u64 = 1 << 54;

/// Pages of 16 KiB and blocks of 32 MiB. AttrIndx is 0 everywhere: what `MAIR_EL1` begins with.
pub(crate) const FORMAT: Format = Format { page_bits: 14, root: 3, leaf, table };

fn leaf(Leaf { gpa, access, user, large }: Leaf) -> u64 {
    let mut entry = gpa.0 | VALID | INNER_SHAREABLE | ACCESSED;
    let execute = access.contains(Access::EXECUTE);
    for (set, bit) in [
        (!large, TABLE_OR_PAGE),
        (user, USER),
        (!access.contains(Access::WRITE), READ_ONLY),
        (user || !execute, PRIVILEGED_NO_EXECUTE),
        (!user || !execute, NO_EXECUTE),
    ] {
        if set {
            entry |= bit;
        }
    }
    entry
}

/// The leaf decides what is allowed; W^X is the leaf's.
fn table(gpa: Gpa) -> u64 {
    gpa.0 | VALID | TABLE_OR_PAGE
}

//! Page tables for a few pages, all of which the same table of the last level leads to.

use wrt_vm::hypervisor::{Access, Gpa, Gva};

/// Words of the tables that a processor needs for that, at most: an Arm's three.
pub(crate) const WORDS: usize = 3 * 2048;

/// What a page of the guest's is.
#[derive(Clone, Copy)]
pub(crate) struct Page {
    pub(crate) gva: Gva,
    pub(crate) gpa: Gpa,
    pub(crate) access: Access,
    /// Whether it is the processor's own, or the program's.
    pub(crate) privileged: bool,
}

/// How a processor's look.
pub(crate) struct Format {
    /// log2 of a page's bytes, and of a table's.
    page_bits: u32,
    levels: u32,
    table: fn(u64) -> u64,
    page: fn(&Page) -> u64,
}

/// Intel SDM volume 3A, 5.5: present, writable, for ring 3; bit 63 forbids execution.
pub(crate) static X86_64: Format = Format {
    page_bits: 12,
    levels: 4,
    table: |gpa| gpa | 7,
    page: |&Page { gpa, access, privileged, .. }| {
        let write = u64::from(access.contains(Access::WRITE)) << 1;
        let user = u64::from(!privileged) << 2;
        let never = u64::from(!access.contains(Access::EXECUTE)) << 63;
        gpa.0 | 1 | write | user | never
    },
};

/// Arm ARM D8.3, 16 KiB: valid, a table or page; shareable, accessed; bit 7 forbids writing, bits
/// 53 and 54 execution at EL1 and EL0. The program is at EL1 itself: all is for EL1 alone.
pub(crate) static ARM: Format = Format {
    page_bits: 14,
    levels: 3,
    table: |gpa| gpa | 3,
    page: |&Page { gpa, access, .. }| {
        let read_only = u64::from(!access.contains(Access::WRITE)) << 7;
        let never = u64::from(!access.contains(Access::EXECUTE)) << 53;
        gpa.0 | 3 | 3 << 8 | 1 << 10 | read_only | never | 1 << 54
    },
};

impl Format {
    /// Writes tables for pages into zeroed words, which the guest has at `root`.
    pub(crate) fn write(&self, words: &mut [u64], root: Gpa, pages: &[Page]) {
        let (last, bits) = (self.levels - 1, self.page_bits - 3);
        // The tables follow one another, by level.
        let place = |level: u32, gva: Gva| {
            let index = gva.0 >> (self.page_bits + bits * (last - level)) & ((1 << bits) - 1);
            usize::try_from(u64::from(level) << bits | index).expect("some thousands")
        };
        for page in pages {
            for level in 0..last {
                let next = root.0 + (u64::from(level + 1) << self.page_bits);
                words[place(level, page.gva)] = (self.table)(next);
            }
            words[place(last, page.gva)] = (self.page)(page);
        }
    }
}

//! What a guest's addresses lead to, kept by the VM or read from page tables.

use std::collections::BTreeMap;
use std::ops::Range;
use wrt_vm::hypervisor::Access;

/// A stretch of guest-virtual addresses that leads to memory.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// Its first address.
    pub gva: u64,
    /// Where it leads.
    pub gpa: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What may be done there.
    pub access: Access,
    /// Whether by the runtime, or only by the stub.
    pub user: bool,
}

impl Leaf {
    fn from(self, gva: u64) -> Self {
        let into = gva - self.gva;
        Self { gva, gpa: self.gpa + into, len: self.len - into, ..self }
    }

    fn up_to(self, end: u64) -> Self {
        Self { len: end - self.gva, ..self }
    }
}

/// Translations that a VM keeps: stretches by their first address; none overlap.
#[derive(Default)]
pub struct Space(BTreeMap<u64, Leaf>);

impl Space {
    /// Has a stretch lead elsewhere.
    ///
    /// # Panics
    ///
    /// When it is not made of pages.
    pub fn map(&mut self, leaf: Leaf) {
        let addresses = leaf.gva | leaf.gpa | leaf.len;
        assert!(leaf.len > 0 && addresses.is_multiple_of(4096), "pages are whole: {leaf:x?}");
        self.unmap(leaf.gva..leaf.gva + leaf.len);
        self.0.insert(leaf.gva, leaf);
    }

    /// Has a stretch lead nowhere.
    ///
    /// # Panics
    ///
    /// As [`Self::map`].
    pub fn unmap(&mut self, range: Range<u64>) {
        assert!(!range.is_empty() && (range.start | range.end).is_multiple_of(4096));
        let touched: Vec<Leaf> = self
            .0
            .range(..range.end)
            .rev()
            .map(|(_, leaf)| *leaf)
            .take_while(|leaf| leaf.gva + leaf.len > range.start)
            .collect();
        for leaf in touched {
            self.0.remove(&leaf.gva);
            if leaf.gva < range.start {
                self.0.insert(leaf.gva, leaf.up_to(range.start));
            }
            if leaf.gva + leaf.len > range.end {
                self.0.insert(range.end, leaf.from(range.end));
            }
        }
    }

    /// What an address leads to.
    pub fn translate(&self, gva: u64) -> Option<Leaf> {
        let (_, leaf) = self.0.range(..=gva).next_back()?;
        (gva - leaf.gva < leaf.len).then(|| leaf.from(gva))
    }

    /// All stretches.
    pub fn leaves(&self) -> Vec<Leaf> {
        self.0.values().copied().collect()
    }

    /// Whether any address leads there.
    pub fn leads_to(&self, gpas: Range<u64>) -> bool {
        self.0.values().any(|leaf| leaf.gpa < gpas.end && gpas.start < leaf.gpa + leaf.len)
    }
}

// Intel SDM volume 3A, 5.5 "4-level paging".
const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Translates as an x86-64 processor would. `word` reads guest-physical memory.
pub(super) fn walk(root: u64, gva: u64, word: impl Fn(u64) -> u64) -> Option<Leaf> {
    if gva >> 47 != 0 {
        return None;
    }
    let (mut table, mut user, mut writable) = (root, true, true);
    for shift in [39, 30, 21, 12] {
        let entry = word(table + (gva >> shift & 0x1ff) * 8);
        if entry & PRESENT == 0 {
            return None;
        }
        user &= entry & USER != 0;
        writable &= entry & WRITABLE != 0;
        if shift == 12 || shift == 21 && entry & LARGE != 0 {
            let size = 1 << shift;
            let first = gva & !(size - 1);
            return Some(leaf(entry, first, size, user, writable).from(gva));
        }
        table = entry & ADDRESS;
    }
    None
}

/// All that page tables lead to; neighbours that belong together are one stretch.
pub(super) fn leaves(root: u64, word: impl Fn(u64) -> u64) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(root, 0, 39, &word, &mut found);
    let mut joined: Vec<Leaf> = Vec::new();
    for leaf in found {
        match joined.last_mut() {
            Some(last)
                if last.gva + last.len == leaf.gva
                    && last.gpa + last.len == leaf.gpa
                    && (last.access, last.user) == (leaf.access, leaf.user) =>
            {
                last.len += leaf.len;
            }
            _ => joined.push(leaf),
        }
    }
    joined
}

fn collect(table: u64, base: u64, shift: u32, word: &impl Fn(u64) -> u64, to: &mut Vec<Leaf>) {
    for index in 0..512 {
        let entry = word(table + index * 8);
        let gva = base + (index << shift);
        match entry {
            _ if entry & PRESENT == 0 => {}
            // The tables above allow everything: see `arch/x86_64/paging.rs` of `wrt-hypervisor`.
            _ if shift == 12 || shift == 21 && entry & LARGE != 0 => {
                let [user, writable] = [USER, WRITABLE].map(|bit| entry & bit != 0);
                to.push(leaf(entry, gva, 1 << shift, user, writable));
            }
            _ => collect(entry & ADDRESS, gva, shift - 9, word, to),
        }
    }
}

fn leaf(entry: u64, gva: u64, len: u64, user: bool, writable: bool) -> Leaf {
    let mut access = Access::READ;
    access.set(Access::WRITE, writable);
    access.set(Access::EXECUTE, entry & NO_EXECUTE == 0);
    let gpa = entry & ADDRESS & !(len - 1);
    Leaf { gva, gpa, len, access, user }
}

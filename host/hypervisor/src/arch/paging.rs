//! The guest's page tables, written by the host alone.
//!
//! The tables are in guest RAM that no guest-virtual address leads to. A guest that escaped
//! into its privileged stub could still find and rewrite them, so the host never reads an
//! entry back: which tables exist, and where, is kept in [`PageTables::known`], in the host's
//! own memory.
//!
//! Processors differ in the sizes of pages and in the bits of an entry, not in the way: that
//! is a [`Format`].
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use super::{Access, Gpa, Gva};
use std::collections::BTreeMap;

/// The form of a processor's page tables: each table is as large as the smallest page, and
/// holds words of 64 bits.
#[derive(Debug)]
pub struct Format {
    /// Bytes of the smallest page, as a power of two.
    pub page_bits: u32,
    /// Levels of tables above the page: this is the root's number, and 1 that of the tables
    /// whose entries are pages.
    pub root: u8,
    /// Makes an entry of [`LARGE_LEVEL`] that maps a large page, or one of level 1, from the
    /// address, what may be done, and whether the runtime may.
    pub(super) leaf: fn(Leaf) -> u64,
    /// Makes an entry that leads to another table from its address.
    pub(super) table: fn(Gpa) -> u64,
}

/// An entry that maps a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    pub(super) gpa: Gpa,
    pub(super) access: Access,
    /// Whether the runtime may, or only the stub.
    pub(super) user: bool,
    /// Whether it is a large page.
    pub(super) large: bool,
}

/// The level whose entries may map large pages.
pub(super) const LARGE_LEVEL: u8 = 2;

impl Format {
    /// Bytes of a table, and of the smallest page.
    pub const fn page_size(&self) -> u64 {
        1 << self.page_bits
    }

    /// Bytes of a large page.
    pub const fn large_page_size(&self) -> u64 {
        1 << self.span_bits(LARGE_LEVEL - 1)
    }

    /// Entries of a table.
    pub const fn entries(&self) -> usize {
        1 << self.index_bits()
    }

    const fn index_bits(&self) -> u32 {
        self.page_bits - 3
    }

    /// Address bits that a whole table of this level spans.
    pub const fn span_bits(&self, level: u8) -> u32 {
        self.page_bits + self.index_bits() * level as u32
    }

    /// Which of a table's entries is `va`'s.
    pub const fn index(&self, level: u8, va: u64) -> usize {
        (va >> self.span_bits(level - 1)) as usize % self.entries()
    }
}

/// Builds tables in a pool of guest RAM.
#[derive(Debug)]
pub struct PageTables {
    format: &'static Format,
    /// Address of the pool's first table, which is the root.
    base: Gpa,
    /// Tables from there on.
    capacity: usize,
    /// Address of the tables after those, and how many there are.
    more: (Gpa, usize),
    used: usize,
    /// Numbers of tables that were in use and are no more. Their memory is as it was.
    free: Vec<usize>,
    /// Number in the pool of the table that maps an address at a level, by level and the
    /// address's bits above what the table spans.
    known: BTreeMap<(u8, u64), usize>,
}

/// The memory of tables: one word an entry.
#[derive(Debug, Default)]
pub struct Pool<'a> {
    /// That of the tables that there were from the start.
    pub first: &'a mut [u64],
    /// That of tables that were [added](PageTables::add).
    pub more: &'a mut [u64],
}

impl Pool<'_> {
    fn entry(&mut self, at: usize) -> &mut u64 {
        match at.checked_sub(self.first.len()) {
            None => &mut self.first[at],
            Some(at) => &mut self.more[at],
        }
    }

    fn table(&mut self, number: usize, entries: usize) -> &mut [u64] {
        match (number * entries).checked_sub(self.first.len()) {
            None => &mut self.first[number * entries..][..entries],
            Some(at) => &mut self.more[at..][..entries],
        }
    }
}

/// The pool has no table left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTables;

impl PageTables {
    /// Tables at `base`, in a pool of `capacity` tables, of which the first is the root.
    pub fn new(format: &'static Format, base: Gpa, capacity: usize) -> Self {
        let known = BTreeMap::from([((format.root, 0), 0)]);
        Self { format, base, capacity, more: (base, 0), used: 1, free: Vec::new(), known }
    }

    /// Makes the pool larger by `count` tables, which are zeroed. All that are added follow the
    /// first of them, which is at `gpa`.
    pub fn add(&mut self, gpa: Gpa, count: usize) {
        self.more = (gpa, self.more.1 + count);
    }

    /// Their form.
    pub fn format(&self) -> &'static Format {
        self.format
    }

    /// Address of the root.
    pub fn root(&self) -> Gpa {
        self.base
    }

    /// Forgets every table but the root, and those that were added. The pool's memory is the
    /// caller's to zero.
    pub fn clear(&mut self) {
        *self = Self::new(self.format, self.base, self.capacity);
    }

    /// Maps `len` bytes at `gva` to `gpa`. All three are multiples of a page; the range must
    /// not be mapped yet, except to the same place. Large pages are used where both addresses
    /// allow, unless small ones were used there before.
    pub fn map(
        &mut self,
        pool: &mut Pool<'_>,
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
        user: bool,
    ) -> Result<(), OutOfTables> {
        assert!(access.is_wx_safe(), "a page is never writable and executable");
        let format = self.format;
        debug_assert!((gva.0 | gpa.0 | len).is_multiple_of(format.page_size()));
        let large_page = format.large_page_size();
        let mut done = 0;
        while done < len {
            let (va, pa) = (gva.0 + done, gpa.0 + done);
            let small = (LARGE_LEVEL - 1, va >> format.span_bits(LARGE_LEVEL - 1));
            let large = (va | pa).is_multiple_of(large_page)
                && len - done >= large_page
                && !self.known.contains_key(&small);
            let (level, size) = match large {
                true => (LARGE_LEVEL, large_page),
                false => (1, format.page_size()),
            };
            let leaf = Leaf { gpa: Gpa(pa), access, user, large };
            let table = self.table(pool, level, va)?;
            *pool.entry(table * format.entries() + format.index(level, va)) = (format.leaf)(leaf);
            done += size;
        }
        Ok(())
    }

    /// Has a range that is not mapped yet be mapped by small pages, so that parts of it can be
    /// changed later.
    pub fn use_small_pages(
        &mut self,
        pool: &mut Pool<'_>,
        gva: Gva,
        len: u64,
    ) -> Result<(), OutOfTables> {
        let large_page = self.format.large_page_size();
        let end = gva.0 + len;
        let mut va = gva.0;
        while va < end {
            self.table(pool, 1, va)?;
            va = (va / large_page + 1) * large_page;
        }
        Ok(())
    }

    /// Whether [`Self::map`] can change a part of what is mapped without changing the size of
    /// any page: none reaches across an end of the part.
    pub fn has_edges_at(&self, gva: Gva, len: u64) -> bool {
        let format = self.format;
        [gva.0, gva.0 + len].into_iter().all(|edge| {
            edge.is_multiple_of(format.large_page_size())
                || self.known.contains_key(&(1, edge >> format.span_bits(1)))
        })
    }

    /// Takes the translations of a range away. The caller makes sure that the processor's
    /// own copies go too.
    pub fn unmap(&mut self, pool: &mut Pool<'_>, gva: Gva, len: u64) {
        let format = self.format;
        let large_page = format.large_page_size();
        let mut done = 0;
        while done < len {
            let va = gva.0 + done;
            let small = self.known.get(&(1, va >> format.span_bits(1)));
            let (level, table, size) = match small {
                Some(&table) => (1, Some(table), format.page_size()),
                None => {
                    let large = self.known.get(&(LARGE_LEVEL, va >> format.span_bits(LARGE_LEVEL)));
                    (LARGE_LEVEL, large.copied(), large_page - va % large_page)
                }
            };
            if let Some(table) = table {
                *pool.entry(table * format.entries() + format.index(level, va)) = 0;
            }
            done += size;
        }
    }

    /// Gives the tables to others that lead to this range alone, of which nothing is mapped any
    /// more. The caller makes sure that the processor forgets them before the guest runs on.
    pub fn release(&mut self, pool: &mut Pool<'_>, gva: Gva, len: u64) {
        let format = self.format;
        for level in 1..format.root {
            let bits = format.span_bits(level);
            let (first, end) = (gva.0.div_ceil(1 << bits), (gva.0 + len) >> bits);
            // Tables that others share, too, stay.
            if first >= end {
                break;
            }
            while let Some((&key, &table)) = self.known.range((level, first)..(level, end)).next() {
                self.known.remove(&key);
                self.free.push(table);
                let above = (level + 1, key.1 >> format.index_bits());
                if let Some(parent) = self.known.get(&above) {
                    let index = format.index(level + 1, key.1 << bits);
                    *pool.entry(parent * format.entries() + index) = 0;
                }
            }
        }
    }

    /// The table that holds `va`'s entry at `level`, made if need be.
    fn table(&mut self, pool: &mut Pool<'_>, level: u8, va: u64) -> Result<usize, OutOfTables> {
        let format = self.format;
        let key = (level, va >> format.span_bits(level));
        if let Some(&table) = self.known.get(&key) {
            return Ok(table);
        }
        let parent = self.table(pool, level + 1, va)?;
        let table = match self.free.pop() {
            Some(table) => {
                pool.table(table, format.entries()).fill(0);
                table
            }
            None if self.used == self.capacity + self.more.1 => return Err(OutOfTables),
            None => {
                self.used += 1;
                self.used - 1
            }
        };
        self.known.insert(key, table);
        let (first, number) = match table.checked_sub(self.capacity) {
            None => (self.base, table),
            Some(number) => (self.more.0, number),
        };
        let address = Gpa(first.0 + number as u64 * format.page_size());
        let entry = pool.entry(parent * format.entries() + format.index(level + 1, va));
        *entry = (format.table)(address);
        Ok(table)
    }
}

#[cfg(test)]
mod tests;

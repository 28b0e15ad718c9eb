//! The guest's page tables, written by the host alone.
//!
//! Format: Intel SDM volume 3A, 5.5 "4-level paging". The tables are in guest RAM that no
//! guest-virtual address leads to. A guest that escaped into ring 0 could still find and
//! rewrite them, so the host never reads an entry back: which tables exist, and where, is
//! kept in [`PageTables::known`], in the host's own memory.
#![expect(clippy::cast_possible_truncation, reason = "usize has 64 bits: see lib.rs")]

use crate::hypervisor::{Access, Gpa, Gva};
use std::collections::BTreeMap;

/// Size of a table in bytes, and of the smallest page.
pub(crate) const TABLE_SIZE: usize = 4096;
const LARGE_PAGE: u64 = 2 << 20;
const ENTRIES: usize = 512;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
/// Accessed and dirty from the start: the processor need not write them.
const ACCESSED_DIRTY: u64 = 1 << 5 | 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;

/// Levels above the page: 4 is the root, 2 holds large pages.
const ROOT: u8 = 4;
const LARGE_LEVEL: u8 = 2;

/// Builds tables in a pool of guest RAM.
#[derive(Debug)]
pub(crate) struct PageTables {
    /// Address of the pool's first table, which is the root.
    base: Gpa,
    capacity: usize,
    used: usize,
    /// Number in the pool of the table that maps an address at a level, by level and the
    /// address's bits above what the table spans.
    known: BTreeMap<(u8, u64), usize>,
}

/// The pool has no table left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfTables;

impl PageTables {
    /// Tables at `base`, in a pool of `capacity` tables, of which the first is the root.
    pub(crate) fn new(base: Gpa, capacity: usize) -> Self {
        Self { base, capacity, used: 1, known: BTreeMap::from([((ROOT, 0), 0)]) }
    }

    /// Address of the root.
    pub(crate) fn root(&self) -> Gpa {
        self.base
    }

    /// Maps `len` bytes at `gva` to `gpa`. All three are multiples of 4 KiB; the range must
    /// not be mapped yet, except to the same place. Pages of 2 MiB are used where both
    /// addresses allow.
    ///
    /// `pool` is the pool's memory, one word an entry.
    pub(crate) fn map(
        &mut self,
        pool: &mut [u64],
        gva: Gva,
        gpa: Gpa,
        len: u64,
        access: Access,
        user: bool,
    ) -> Result<(), OutOfTables> {
        assert!(access.is_wx_safe(), "a page is never writable and executable");
        debug_assert!((gva.0 | gpa.0 | len).is_multiple_of(TABLE_SIZE as u64));
        let mut flags = PRESENT | ACCESSED_DIRTY;
        for (set, bit) in [
            (access.contains(Access::WRITE), WRITABLE),
            (user, USER),
            (!access.contains(Access::EXECUTE), NO_EXECUTE),
        ] {
            if set {
                flags |= bit;
            }
        }
        let mut done = 0;
        while done < len {
            let (va, pa) = (gva.0 + done, gpa.0 + done);
            let large = (va | pa).is_multiple_of(LARGE_PAGE)
                && len - done >= LARGE_PAGE
                && !self.known.contains_key(&(LARGE_LEVEL - 1, va >> span_bits(LARGE_LEVEL - 1)));
            let (level, size, bits) = match large {
                true => (LARGE_LEVEL, LARGE_PAGE, LARGE),
                false => (1, TABLE_SIZE as u64, 0),
            };
            let table = self.table(pool, level, va)?;
            pool[table * ENTRIES + index(level, va)] = pa | flags | bits;
            done += size;
        }
        Ok(())
    }

    /// Takes the translations of a range away. The caller makes sure that the processor's
    /// own copies go too.
    pub(crate) fn unmap(&mut self, pool: &mut [u64], gva: Gva, len: u64) {
        let mut done = 0;
        while done < len {
            let va = gva.0 + done;
            let small = self.known.get(&(1, va >> span_bits(1)));
            let (level, table, size) = match small {
                Some(&table) => (1, Some(table), TABLE_SIZE as u64),
                None => {
                    let large = self.known.get(&(LARGE_LEVEL, va >> span_bits(LARGE_LEVEL)));
                    (LARGE_LEVEL, large.copied(), LARGE_PAGE - va % LARGE_PAGE)
                }
            };
            if let Some(table) = table {
                pool[table * ENTRIES + index(level, va)] = 0;
            }
            done += size;
        }
    }

    /// The table that holds `va`'s entry at `level`, made if need be.
    fn table(&mut self, pool: &mut [u64], level: u8, va: u64) -> Result<usize, OutOfTables> {
        let key = (level, va >> span_bits(level));
        if let Some(&table) = self.known.get(&key) {
            return Ok(table);
        }
        let parent = self.table(pool, level + 1, va)?;
        if self.used == self.capacity {
            return Err(OutOfTables);
        }
        let table = self.used;
        self.used += 1;
        self.known.insert(key, table);
        let address = self.base.0 + (table * TABLE_SIZE) as u64;
        // The leaf decides what is allowed; W^X is the leaf's.
        pool[parent * ENTRIES + index(level + 1, va)] =
            address | PRESENT | WRITABLE | USER | ACCESSED_DIRTY & !(1 << 6);
        Ok(table)
    }
}

/// Address bits that a whole table of this level spans.
const fn span_bits(level: u8) -> u32 {
    12 + 9 * level as u32
}

/// Which of a table's entries is `va`'s.
const fn index(level: u8, va: u64) -> usize {
    (va >> span_bits(level - 1)) as usize % ENTRIES
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: Gpa = Gpa(0x10_0000);

    /// What the processor would do: the address and the leaf's flags.
    fn walk(pool: &[u64], va: u64) -> Option<(u64, u64)> {
        let mut table = 0;
        for level in (1..=ROOT).rev() {
            let entry = pool[table * ENTRIES + index(level, va)];
            if entry & PRESENT == 0 {
                return None;
            }
            let address = entry & 0x000f_ffff_ffff_f000;
            if level == 1 || level == LARGE_LEVEL && entry & LARGE != 0 {
                let offset = va % (1 << span_bits(level - 1));
                return Some((address + offset, entry));
            }
            table = (address - BASE.0) as usize / TABLE_SIZE;
        }
        None
    }

    fn access() -> impl Strategy<Value = Access> {
        prop_oneof![
            Just(Access::READ),
            Just(Access::READ | Access::WRITE),
            Just(Access::READ | Access::EXECUTE),
        ]
    }

    proptest! {
        #[test]
        fn what_is_mapped_translates_and_nothing_else_does(
            page in 1u64..1 << 30, frame in 1u64..1 << 24, pages in 1u64..2000,
            access in access(), user: bool, probe in 0u64..2000,
        ) {
            let mut pool = vec![0; 64 * ENTRIES];
            let mut tables = PageTables::new(BASE, 64);
            let (gva, gpa) = (page << 12, frame << 12);
            tables.map(&mut pool, Gva(gva), Gpa(gpa), pages << 12, access, user).unwrap();

            let inside = (probe % pages) << 12 | 0x123;
            let (address, flags) = walk(&pool, gva + inside).unwrap();
            prop_assert_eq!(address, gpa + inside);
            prop_assert_eq!(flags & WRITABLE != 0, access.contains(Access::WRITE));
            prop_assert_eq!(flags & NO_EXECUTE == 0, access.contains(Access::EXECUTE));
            prop_assert_eq!(flags & USER != 0, user);
            prop_assert!(walk(&pool, gva - 1).is_none());
            prop_assert!(walk(&pool, gva + (pages << 12)).is_none());

            tables.unmap(&mut pool, Gva(gva), pages << 12);
            prop_assert!(walk(&pool, gva + inside).is_none());
        }

        #[test]
        fn growth_keeps_what_was_there(first in 1u64..1500, more in 1u64..1500) {
            let mut pool = vec![0; 64 * ENTRIES];
            let mut tables = PageTables::new(BASE, 64);
            let (gva, gpa) = (0x8_0000_0000u64, 0x1_0000_0000u64);
            let access = Access::READ | Access::WRITE;
            let end = first << 12;
            tables.map(&mut pool, Gva(gva), Gpa(gpa), end, access, true).unwrap();
            tables.map(&mut pool, Gva(gva + end), Gpa(gpa + end), more << 12, access, true).unwrap();
            for page in 0..first + more {
                prop_assert_eq!(walk(&pool, gva + (page << 12)).unwrap().0, gpa + (page << 12));
            }
        }
    }

    #[test]
    fn aligned_memory_takes_large_pages() {
        let mut pool = vec![0; 8 * ENTRIES];
        let mut tables = PageTables::new(BASE, 8);
        let access = Access::READ | Access::WRITE;
        tables.map(&mut pool, Gva(1 << 30), Gpa(1 << 32), 64 << 20, access, true).unwrap();
        assert!(walk(&pool, 1 << 30).unwrap().1 & LARGE != 0);
        assert_eq!(tables.used, 3, "root, one level-3 and one level-2 table");
    }

    #[test]
    fn an_empty_pool_is_an_error() {
        let mut pool = vec![0; 2 * ENTRIES];
        let mut tables = PageTables::new(BASE, 2);
        let mapped = tables.map(&mut pool, Gva(0x1000), Gpa(0x1000), 4096, Access::READ, true);
        assert_eq!(mapped, Err(OutOfTables));
    }

    #[test]
    #[should_panic(expected = "never writable and executable")]
    fn writable_code_is_refused() {
        let mut pool = vec![0; 8 * ENTRIES];
        let mut tables = PageTables::new(BASE, 8);
        let _ = tables.map(&mut pool, Gva(0x1000), Gpa(0x1000), 4096, Access::all(), true);
    }
}

use super::super::reading::{self, Entry};
use super::super::{aarch64, x86_64};
use super::*;
use proptest::prelude::*;
use wrt_abi::cpu::Arch;

const BASE: Gpa = Gpa(0x10_0000);

/// A processor with its page tables.
#[derive(Debug)]
struct Processor {
    arch: Arch,
    format: &'static Format,
}

const PROCESSORS: [Processor; 2] = [
    Processor { arch: Arch::X86_64, format: &x86_64::FORMAT },
    Processor { arch: Arch::Aarch64, format: &aarch64::FORMAT },
];

/// Where an address leads, and how.
struct Found {
    address: u64,
    access: Access,
    user: bool,
    large: bool,
}

impl Processor {
    /// What it would do.
    fn walk(&self, pool: &[u64], va: u64) -> Option<Found> {
        let format = self.format;
        let mut table = 0;
        for level in (1..=format.root).rev() {
            let entry = pool[table * format.entries() + format.index(level, va)];
            match reading::read(self.arch, entry, level) {
                Entry::Nothing => return None,
                Entry::Page { address, access, user, large } => {
                    let address = address + va % (1 << format.span_bits(level - 1));
                    return Some(Found { address, access, user, large });
                }
                Entry::Table(gpa) => table = ((gpa - BASE.0) / format.page_size()) as usize,
            }
        }
        None
    }

    fn pool(&self, tables: usize) -> (Vec<u64>, PageTables) {
        let pool = vec![0; tables * self.format.entries()];
        (pool, PageTables::new(self.format, BASE, tables))
    }
}

/// The first tables of a pool, and those after them.
fn memory(pool: &mut [u64]) -> Pool<'_> {
    Pool { first: pool, more: &mut [] }
}

fn access() -> impl Strategy<Value = Access> {
    prop_oneof![
        Just(Access::READ),
        Just(Access::READ | Access::WRITE),
        Just(Access::READ | Access::EXECUTE),
    ]
}

fn processor() -> impl Strategy<Value = &'static Processor> {
    prop::sample::select(PROCESSORS.iter().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn what_is_mapped_translates_and_nothing_else_does(
        processor in processor(),
        page in 1u64..1 << 30, frame in 1u64..1 << 20, pages in 1u64..2000,
        access in access(), user: bool, probe in 0u64..2000,
    ) {
        let bits = processor.format.page_bits;
        let (mut pool, mut tables) = processor.pool(64);
        let (gva, gpa) = (page << bits, frame << bits);
        tables.map(&mut memory(&mut pool), Gva(gva), Gpa(gpa), pages << bits, access, user).unwrap();

        let inside = (probe % pages) << bits | 0x123;
        let found = processor.walk(&pool, gva + inside).unwrap();
        prop_assert_eq!(found.address, gpa + inside);
        prop_assert_eq!((found.access, found.user), (access, user));
        prop_assert!(processor.walk(&pool, gva - 1).is_none());
        prop_assert!(processor.walk(&pool, gva + (pages << bits)).is_none());

        tables.unmap(&mut memory(&mut pool), Gva(gva), pages << bits);
        prop_assert!(processor.walk(&pool, gva + inside).is_none());
    }

    #[test]
    fn growth_keeps_what_was_there(
        processor in processor(), first in 1u64..1500, more in 1u64..1500
    ) {
        let bits = processor.format.page_bits;
        let (mut pool, mut tables) = processor.pool(64);
        let (gva, gpa) = (0x8_0000_0000u64, 0x1_0000_0000u64);
        let access = Access::READ | Access::WRITE;
        let end = first << bits;
        tables.map(&mut memory(&mut pool), Gva(gva), Gpa(gpa), end, access, true).unwrap();
        tables.map(&mut memory(&mut pool), Gva(gva + end), Gpa(gpa + end), more << bits, access, true).unwrap();
        for page in 0..first + more {
            let found = processor.walk(&pool, gva + (page << bits)).unwrap();
            prop_assert_eq!(found.address, gpa + (page << bits));
        }
    }
}

#[test]
fn aligned_memory_takes_large_pages() {
    for processor in &PROCESSORS {
        let (mut pool, mut tables) = processor.pool(8);
        let access = Access::READ | Access::WRITE;
        tables
            .map(&mut memory(&mut pool), Gva(1 << 30), Gpa(1 << 32), 64 << 20, access, true)
            .unwrap();
        assert!(processor.walk(&pool, 1 << 30).unwrap().large);
        let above = usize::from(processor.format.root - LARGE_LEVEL);
        assert_eq!(tables.used, 1 + above, "the root, and a table a level down to the large page");
    }
}

#[test]
fn small_pages_can_be_changed_one_by_one() {
    for processor in &PROCESSORS {
        let (page, large) = (processor.format.page_size(), processor.format.large_page_size());
        let (mut pool, mut tables) = processor.pool(16);
        let (gva, gpa) = (Gva(1 << 35), Gpa(1 << 34));
        tables.use_small_pages(&mut memory(&mut pool), gva, large + page).unwrap();
        tables.map(&mut memory(&mut pool), gva, gpa, 3 * large, Access::READ, true).unwrap();
        let is_large =
            |n: u64, pool: &[u64]| processor.walk(pool, gva.0 + n * large).unwrap().large;
        assert_eq!([0, 1, 2].map(|n| is_large(n, &pool)), [false, false, true]);

        let start = Gva(gva.0 + 5 * page);
        assert!(tables.has_edges_at(start, 2 * large - 5 * page));
        assert!(!tables.has_edges_at(start, 2 * large), "an edge within a large page");
        let (from, code) = (Gpa(gpa.0 + 5 * page), Access::READ | Access::EXECUTE);
        tables.map(&mut memory(&mut pool), start, from, 3 * page, code, true).unwrap();
        for number in 0..16 {
            let found = processor.walk(&pool, gva.0 + number * page).unwrap();
            assert_eq!(found.address, gpa.0 + number * page);
            assert_eq!(found.access.contains(Access::EXECUTE), (5..8).contains(&number));
        }
    }
}

#[test]
fn added_tables_serve_as_the_first_do() {
    for processor in PROCESSORS {
        let format = processor.format;
        let (page, large) = (format.page_size(), format.large_page_size());
        let (first, added) = (4, 12);
        let words = |tables: usize| tables * format.entries();
        // Where the first end the others begin, so that one pool can be walked.
        let mut pool = vec![0; words(first + added)];
        let mut tables = PageTables::new(format, BASE, first);
        let mut mapped = 0;
        let mut map = |pool: &mut [u64], tables: &mut PageTables| {
            let (head, more) = pool.split_at_mut(words(first));
            let (gva, gpa) = (Gva(mapped * large), Gpa((1 << 32) + mapped * large));
            let mut memory = Pool { first: head, more };
            let done = tables.map(&mut memory, gva, gpa, page, Access::READ, true);
            done.inspect(|()| mapped += 1)
        };
        while map(&mut pool, &mut tables).is_ok() {}
        for _ in 0..2 {
            tables.add(Gpa(BASE.0 + first as u64 * page), added / 2);
            map(&mut pool, &mut tables).unwrap();
            while map(&mut pool, &mut tables).is_ok() {}
        }
        assert!(mapped as usize > added, "{:?}: {mapped}", processor.arch);
        for number in 0..mapped {
            let found = processor.walk(&pool, number * large).unwrap();
            assert_eq!(found.address, (1 << 32) + number * large, "{:?}", processor.arch);
        }
    }
}

#[test]
fn tables_of_what_is_gone_serve_others() {
    for processor in &PROCESSORS {
        let format = processor.format;
        let (page, large) = (format.page_size(), format.large_page_size());
        let stride = 16 << 30;
        // The root, what ranges share, and what two take that are in use at a time.
        let (mut pool, mut tables) = processor.pool(300);
        let page_of = |range: u64, n: u64| range * stride + n * large;
        for range in 1..1000 {
            let (gva, kept) = (Gva(range * stride), Gva((range - 1) * stride));
            for n in 0..8 {
                let (at, to) = (Gva(page_of(range, n)), Gpa((1 << 32) + page_of(0, n)));
                tables.map(&mut memory(&mut pool), at, to, page, Access::READ, true).unwrap();
            }
            if range > 1 {
                for n in 0..8 {
                    tables.unmap(&mut memory(&mut pool), Gva(page_of(range - 1, n)), page);
                }
                tables.release(&mut memory(&mut pool), kept, stride);
            }
            for n in 0..8 {
                let found = processor.walk(&pool, page_of(range, n)).unwrap();
                assert_eq!(found.address, (1 << 32) + n * large, "{:?}", processor.arch);
                assert!(processor.walk(&pool, page_of(range, n) + page).is_none(), "it was zeroed");
                assert!(processor.walk(&pool, page_of(range - 1, n)).is_none());
            }
            assert!(processor.walk(&pool, gva.0 - 1).is_none());
        }
    }
}

#[test]
fn an_empty_pool_is_an_error() {
    for processor in &PROCESSORS {
        let page = processor.format.page_size();
        let (mut pool, mut tables) = processor.pool(2);
        let mapped =
            tables.map(&mut memory(&mut pool), Gva(page), Gpa(page), page, Access::READ, true);
        assert_eq!(mapped, Err(OutOfTables));
    }
}

#[test]
#[should_panic(expected = "never writable and executable")]
fn writable_code_is_refused() {
    let (mut pool, mut tables) = PROCESSORS[0].pool(8);
    let _ = tables.map(&mut memory(&mut pool), Gva(0x1000), Gpa(0x1000), 4096, Access::all(), true);
}

//! Guest memory against a hypervisor that only takes notes, and a model of what must hold.

mod fixture;
mod model;

use super::regions::Region;
use super::*;
use crate::artifact::Text;
use crate::machine::translation::tables_size;
use fixture::{Fixture, Form, LIMIT, host_bytes};
use std::sync::Arc;
use wrt_abi::layout::{
    GRANULE, IMAGE_BASE, MAILBOX_BASE, REGION_BASE, REGION_COUNT, REGION_MAX, REGION_STRIDE,
    STACK_TOP, SYSTEM_BASE,
};
use wrt_abi::mailbox::MAILBOX_SIZE;
use wrt_hypervisor::Mapping;
use wrt_platform::memory::{GUARD, SharedBytes};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

#[test]
fn a_fresh_guest_has_its_parts_and_nothing_between_them() {
    for form in [Form::X86_64, Form::Aarch64] {
        has_its_parts_and_nothing_between_them(&Fixture::of(form));
    }
}

fn has_its_parts_and_nothing_between_them(f: &Fixture) {
    f.check();
    let parts = f.memory.parts;
    let stack_bottom = STACK_TOP - parts.stack_size as u64;
    for (base, len) in [
        (SYSTEM_BASE, SYSTEM_SIZE as u64),
        (MAILBOX_BASE, MAILBOX_SIZE as u64),
        (stack_bottom, parts.stack_size as u64),
        (HEAP_BASE, HEAP_INITIAL),
    ] {
        let leaf = f.translate(base).expect("the part is mapped");
        assert!(leaf.writable && !leaf.executable, "{base:#x} is data");
        assert_eq!(leaf.user, base != SYSTEM_BASE, "only the system part is the stub's");
        assert!(f.translate(base + len - 1).is_some());
        assert!(f.translate(base - 1).is_none(), "a guard below {base:#x}");
        assert!(f.translate(base + len).is_none(), "a guard above {base:#x}");
    }
    assert!(f.translate(0).is_none(), "null is never mapped");
    assert!(f.translate(REGION_BASE).is_none());
}

#[test]
fn a_guest_without_rings_has_nothing_privileged() {
    let f = Fixture::of(Form::Backend);
    f.check();
    for segment in &f.image.segments {
        assert_eq!(f.translate(segment.gva.0).is_some(), !segment.privileged, "{segment:?}");
    }
    assert!(f.translate(SYSTEM_BASE).is_none() && f.memory.copy_system().is_none());
    assert!(f.translate(MAILBOX_BASE).is_some() && f.translate(STACK_TOP - 1).is_some());
}

#[test]
fn no_address_of_the_guest_leads_to_its_page_tables() {
    for form in [Form::X86_64, Form::Aarch64] {
        leads_nowhere_to_its_page_tables(&Fixture::of(form));
    }
}

fn leads_nowhere_to_its_page_tables(f: &Fixture) {
    let format = arch::format(f.image.arch);
    let tables = CORE_GPA.0..CORE_GPA.0 + tables_size(format) as u64;
    // All that a fresh guest has lies below these; regions get chunks, never the core.
    let image = IMAGE_BASE..IMAGE_BASE + wrt_abi::layout::IMAGE_MAX;
    let heap = HEAP_BASE..HEAP_BASE + 2 * HEAP_INITIAL;
    for page in image.chain(SYSTEM_BASE..STACK_TOP).chain(heap).step_by(4096) {
        if let Some(leaf) = f.translate(page) {
            assert!(!tables.contains(&leaf.gpa), "{page:#x} leads to {:#x}", leaf.gpa);
        }
    }
}

#[test]
fn a_region_that_grows_by_small_steps_gets_more_page_tables() {
    const ALL: u64 = 5 << 30;
    let mut f = Fixture::with_limit(ALL + HEAP_INITIAL);
    for _ in 0..2 {
        let gva = f.memory.reserve(&mut f.vm, 0).unwrap();
        assert_eq!(f.more_tables(), 0);
        // No step fills a large page.
        for len in (MIB..=ALL).step_by(MIB as usize) {
            let usable = f.memory.commit(&mut f.vm, gva, len, len);
            assert_eq!(usable.unwrap(), len);
        }
        assert!(f.more_tables() > 1, "each time as many as there are");
        f.check();
        f.memory.reset(&mut f.vm, f.image, None).unwrap();
        f.check();
    }
}

/// A guest that keeps a little of each region that it takes, and has filled each one once.
#[test]
fn regions_that_are_given_back_leave_no_page_tables_behind() {
    const ALL: u64 = 5 << 30;
    let mut f = Fixture::with_limit(ALL + GIB + HEAP_INITIAL);
    let mut kept = Vec::new();
    let mut tables = None;
    for _ in 0..30 {
        let gva = f.memory.reserve(&mut f.vm, 0).unwrap();
        for len in (MIB..=ALL).step_by(MIB as usize) {
            assert_eq!(f.memory.commit(&mut f.vm, gva, len, len).unwrap(), len);
        }
        f.memory.release(&mut f.vm, gva).unwrap();
        // Takes its number.
        kept.push(f.memory.reserve(&mut f.vm, MIB).unwrap());
        let now = f.more_tables();
        assert_eq!(*tables.get_or_insert(now), now, "after {} regions", kept.len());
    }
    f.check();
}

#[test]
fn as_many_regions_as_there_may_be_have_page_tables() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        for _ in 0..REGION_COUNT {
            f.memory.reserve(&mut f.vm, GRANULE).unwrap();
        }
        assert!(matches!(f.memory.reserve(&mut f.vm, GRANULE), Err(MemoryRefused::Limit)));
        f.check();
    }
}

#[test]
fn page_tables_that_cannot_be_had_leave_all_as_it_was() {
    let mut f = Fixture::with_limit(5 << 30);
    let gva = f.memory.reserve(&mut f.vm, 0).unwrap();
    let mut len = 0;
    // Backed well ahead, so that the next mapping that is wanted is one of page tables.
    while f.more_tables() == 0 {
        let region = f.memory.regions.values().next().unwrap();
        f.vm.refuse_maps = len > 1 << 30 && region.backed > len + MIB;
        len += MIB;
        if f.memory.commit(&mut f.vm, gva, len, len).is_err() {
            f.vm.refuse_maps = false;
            len -= MIB;
            f.check();
            let usable = f.memory.commit(&mut f.vm, gva, len + MIB, len + MIB).unwrap();
            assert_eq!(usable, len + MIB);
            assert_eq!(f.more_tables(), 1);
        }
    }
    f.check();
}

#[test]
fn a_large_stack_is_mapped_by_large_pages() {
    const STACK: usize = (256 << 20) + (256 << 10);
    for form in [Form::X86_64, Form::Aarch64] {
        let f = Fixture::with_stack(form, STACK);
        f.check();
        let large = arch::format(f.image.arch).large_page_size();
        let leaves = f.leaves();
        let count = leaves.iter().filter(|(leaf, len)| leaf.writable && *len == large).count();
        assert!(count as u64 >= (256 << 20) / large - 1, "{form:?}: {count}");
        assert!(leaves.len() < 4000, "{form:?}: {}", leaves.len());
        let bottom = STACK_TOP - STACK as u64;
        for (at, mapped) in
            [(bottom - 1, false), (bottom, true), (STACK_TOP - 1, true), (STACK_TOP, false)]
        {
            assert_eq!(f.translate(at).is_some(), mapped, "{form:?}: {at:#x}");
        }
    }
}

#[test]
fn regions_and_the_core_lie_far_apart_on_the_host() {
    let mut f = Fixture::new();
    for len in [1, MIB, 3 * MIB] {
        f.memory.reserve(&mut f.vm, len).unwrap();
        f.share(len);
    }
    let regions = f.memory.regions.values().map(|region| (region.host, region.max));
    let core = (f.memory.backing.core.base(), f.memory.backing.core.len() as u64);
    let mut places: Vec<(u64, u64)> =
        regions.chain([core]).map(|(host, len)| (host.addr().get() as u64, len)).collect();
    places.sort_unstable();
    for pair in places.windows(2) {
        let [(start, len), (next, _)] = pair else { unreachable!() };
        assert!(start + len + GUARD as u64 <= *next, "guards on both sides of each");
    }
    f.check();
}

#[test]
fn limits_hold_to_the_byte() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        let free = LIMIT - f.memory.usage().0;
        assert!(matches!(f.memory.reserve(&mut f.vm, free + 1), Err(MemoryRefused::Limit)));
        let all = f.memory.reserve(&mut f.vm, free).unwrap();
        assert_eq!(f.memory.usage().0, LIMIT);
        assert!(matches!(f.memory.reserve(&mut f.vm, 1), Err(MemoryRefused::Limit)));
        let heap = f.memory.commit(&mut f.vm, Gva(HEAP_BASE), HEAP_INITIAL + 1, u64::MAX);
        assert!(matches!(heap, Err(MemoryRefused::Limit)));
        f.memory.release(&mut f.vm, all).unwrap();
        f.memory.commit(&mut f.vm, Gva(HEAP_BASE), HEAP_INITIAL + free, u64::MAX).unwrap();
        f.check();
    }
}

#[test]
fn sizes_beyond_all_bounds_are_refused() {
    let mut f = Fixture::with_limit(u64::MAX);
    for len in [REGION_MAX + 1, u64::MAX - 1, u64::MAX] {
        let reserved = f.memory.reserve(&mut f.vm, len);
        assert!(matches!(reserved, Err(MemoryRefused::Limit)), "{len:#x}: {reserved:?}");
    }
    let region = f.memory.reserve(&mut f.vm, 1).unwrap();
    for (gva, max) in [(region, REGION_MAX), (Gva(HEAP_BASE), HEAP_MAX)] {
        for len in [max + 1, u64::MAX] {
            let committed = f.memory.commit(&mut f.vm, gva, len, u64::MAX);
            assert!(matches!(committed, Err(MemoryRefused::Limit)), "{len:#x}: {committed:?}");
        }
    }
    for (gva, len) in [(region.0, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX), (0, 1)] {
        assert!(f.memory.slice(Gva(gva), len).is_err(), "{gva:#x}, {len:#x}");
    }
    f.check();
}

/// A guest may come back for memory for as long as it runs: nothing of a region that was
/// given back may stay taken.
#[test]
fn memory_that_is_given_back_can_be_had_again_for_ever() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        let bytes = Fixture::shared(5000);
        for round in 0..5000u64 {
            let kept = f.memory.reserve(&mut f.vm, (round % 7) * 300_000).unwrap();
            let module = f.memory.share(&mut f.vm, Arc::clone(&bytes), Content::Data).unwrap();
            let other = f.memory.reserve(&mut f.vm, 300_000).unwrap();
            f.memory.commit(&mut f.vm, other, (1 + round % 20) * MIB, u64::MAX).unwrap();
            f.memory.unshare(&mut f.vm, module).unwrap();
            f.memory.release(&mut f.vm, kept).unwrap();
            f.memory.release(&mut f.vm, other).unwrap();
        }
        f.check();
        assert_eq!(f.vm.mappings.len(), f.fixed(), "only the core and the image are left");
    }
}

#[test]
fn more_regions_than_there_can_be_are_refused_and_all_come_back() {
    let mut f = Fixture::with_limit(u64::MAX);
    let mut taken = Vec::new();
    let refused = loop {
        match f.memory.reserve(&mut f.vm, 1) {
            Ok(gva) => taken.push(gva),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, MemoryRefused::Limit));
    assert!(taken.len() > 400, "{} regions are too few", taken.len());
    f.check();
    for gva in &taken {
        f.memory.release(&mut f.vm, *gva).unwrap();
    }
    for _ in &taken {
        f.memory.reserve(&mut f.vm, 1).unwrap();
    }
    f.check();
}

#[test]
fn a_hypervisor_that_refuses_a_mapping_leaves_all_as_it_was() {
    let mut f = Fixture::new();
    let bytes = Fixture::shared(100_000);
    let region = f.memory.reserve(&mut f.vm, MIB).unwrap();
    let (before, mappings) = (f.memory.usage().0, f.vm.mappings.len());
    for _ in 0..2000 {
        f.vm.refuse_maps = true;
        assert!(f.memory.reserve(&mut f.vm, MIB).is_err());
        assert!(f.memory.share(&mut f.vm, Arc::clone(&bytes), Content::Data).is_err());
        assert!(f.memory.commit(&mut f.vm, region, 50 * MIB, u64::MAX).is_err());
        f.vm.refuse_maps = false;
        assert_eq!((f.memory.usage().0, f.vm.mappings.len()), (before, mappings));
    }
    f.memory.reserve(&mut f.vm, MIB).unwrap();
    f.memory.share(&mut f.vm, bytes, Content::Data).unwrap();
    f.memory.commit(&mut f.vm, region, 50 * MIB, u64::MAX).unwrap();
    f.check();
}

/// What the VM can still reach is not given back to the host's system.
#[test]
fn a_hypervisor_that_refuses_to_unmap_keeps_its_memory() {
    let mut f = Fixture::new();
    let region = f.memory.reserve(&mut f.vm, MIB).unwrap();
    f.memory.slice(region, 1).unwrap()[0] = 7;
    let chunk = f.memory.regions[&0].chunks[0];
    f.vm.refuse_unmaps = true;
    assert!(f.memory.release(&mut f.vm, region).is_err());
    let mapping = f.vm.mapping_at(chunk.gpa.0).expect("it is mapped still");
    // SAFETY: that the host bytes of a mapping live is what is tested here.
    assert_eq!(unsafe { mapping.host.read() }, 7);
    assert!(f.memory.slice(region, 1).is_err(), "but nothing uses it any more");
}

#[test]
fn a_reset_leaves_nothing_of_what_was_there() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        let boot = *f.memory.boot_state();
        let fresh = f.core_bytes();
        for round in 1..=3u8 {
            let region = f.memory.reserve(&mut f.vm, MIB).unwrap();
            f.memory.slice(region, MIB).unwrap().fill(round);
            f.share(100_000);
            f.memory.commit(&mut f.vm, Gva(HEAP_BASE), 4 * MIB, u64::MAX).unwrap();
            f.memory.slice(Gva(HEAP_BASE), 4 * MIB).unwrap().fill(round);
            f.fill_core(round);

            f.memory.reset(&mut f.vm, f.image, None).unwrap();
            f.check();
            assert_eq!(f.vm.mappings.len(), f.fixed());
            assert_eq!(f.memory.usage(), (HEAP_INITIAL, HEAP_INITIAL));
            assert_eq!(f.memory.boot_state(), &boot);
            assert!(f.core_bytes() == fresh, "the core's bytes are those of a fresh guest");
            let heap = f.memory.commit(&mut f.vm, Gva(HEAP_BASE), 4 * MIB, u64::MAX).unwrap();
            let heap = f.memory.slice(Gva(HEAP_BASE), heap).unwrap();
            assert!(heap.iter().all(|byte| *byte == 0), "grown heap is zero");
            let region = f.memory.reserve(&mut f.vm, MIB).unwrap();
            assert!(f.memory.slice(region, MIB).unwrap().iter().all(|byte| *byte == 0));
        }
    }
}

#[test]
fn guests_go_on_from_one_that_was_kept() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        let page = f.memory.backing.translation.page_size();
        let fresh = f.memory.prepare(f.image).unwrap();
        let region = f.memory.reserve(&mut f.vm, MIB).unwrap();
        f.memory.slice(region, MIB).unwrap().fill(1);
        // The end of it, far from the rest.
        f.memory.commit(&mut f.vm, Gva(HEAP_BASE), 8 * MIB, u64::MAX).unwrap();
        f.memory.slice(Gva(HEAP_BASE + 8 * MIB - 1), 1).unwrap().fill(1);
        let code =
            f.memory.share(&mut f.vm, Fixture::shared(10 * page as usize), Content::Code).unwrap();
        f.memory.publish(&mut f.vm, Gva(code.0 + page), 2 * page).unwrap();
        f.memory.publish(&mut f.vm, Gva(code.0 + page), 2 * page).unwrap();
        let kept = f.memory.prepare(f.image).unwrap();
        let (size, more) = (kept.size(), kept.size() - fresh.size());
        assert!((MIB..2 * MIB).contains(&more), "{form:?}: zeros are not kept: {size}");

        let mut others = [f.another(&kept), f.another(&kept)];
        f.memory.slice(region, MIB).unwrap().fill(2);
        for (other, byte) in others.iter_mut().zip(3..) {
            other.check();
            assert_eq!(other.memory.usage().0, f.memory.usage().0);
            for n in 0..10 {
                let leaf = other.translate(code.0 + n * page).unwrap();
                assert_eq!((leaf.executable, leaf.writable), ((1..3).contains(&n), false), "{n}");
            }
            let last = other.memory.slice(Gva(HEAP_BASE + 8 * MIB - 1), 1).unwrap()[0];
            assert_eq!(last, 1);
            let bytes = other.memory.slice(region, MIB).unwrap();
            assert!(bytes.iter().all(|seen| *seen == 1), "{form:?}: as it was when it was kept");
            bytes.fill(byte);
            // The same in both.
            let next = other.memory.reserve(&mut other.vm, MIB).unwrap();
            assert_eq!(next, Gva(REGION_BASE + 2 * REGION_STRIDE));
        }
        for (other, byte) in others.iter_mut().zip(3..) {
            assert!(other.memory.slice(region, MIB).unwrap().iter().all(|seen| *seen == byte));
            other.memory.reset(&mut other.vm, f.image, Some(&fresh)).unwrap();
            other.check();
            assert!(other.translate(region.0).is_none() && other.translate(code.0).is_none());
            other.memory.reset(&mut other.vm, f.image, None).unwrap();
            other.check();
            assert_eq!(other.vm.mappings.len(), other.fixed());
        }
    }
}

#[test]
fn a_guest_that_is_too_large_for_a_vm_is_refused() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        f.memory.reserve(&mut f.vm, 40 * MIB).unwrap();
        let kept = f.memory.prepare(f.image).unwrap();
        let mut small = f.small();
        let refused = small.memory.reset(&mut small.vm, f.image, Some(&kept));
        assert!(matches!(refused, Err(MemoryRefused::Limit)));
        small.memory.reset(&mut small.vm, f.image, None).unwrap();
        small.check();
        assert_eq!(small.vm.mappings.len(), small.fixed());
    }
}

#[test]
fn an_artefact_has_few_executable_parts() {
    let mut f = Fixture::new();
    f.vm.forgets = true;
    let page = f.memory.backing.translation.page_size();
    let bytes = Fixture::shared(200 * page as usize);
    let code = f.memory.share(&mut f.vm, bytes, Content::Code).unwrap();
    let publish =
        |f: &mut Fixture, n: u64| f.memory.publish(&mut f.vm, Gva(code.0 + 2 * n * page), page);
    let taken = (0..100).take_while(|n| publish(&mut f, *n).is_ok()).count();
    assert_eq!(taken, 64);
    assert!(publish(&mut f, 7).is_ok(), "again is no more");
}

#[test]
fn shared_bytes_can_be_read_by_the_guest_and_by_nobody_changed() {
    let mut f = Fixture::new();
    let bytes = SharedBytes::new(5000, |to| {
        to.fill(9);
        Ok::<_, std::io::Error>(())
    });
    let gva = f.memory.share(&mut f.vm, Arc::new(bytes.unwrap()), Content::Data).unwrap();
    let leaf = f.translate(gva.0).unwrap();
    assert!(!leaf.writable && !leaf.executable && leaf.user);
    let mapping = f.vm.mapping_at(leaf.gpa).unwrap();
    assert_eq!(mapping.access, Access::READ);
    assert_eq!(host_bytes(mapping, leaf.gpa, 5000), [9; 5000]);
    // A guest cannot have the host write to it, give it back, or grow it.
    assert!(f.memory.slice(gva, 1).is_err());
    assert!(matches!(f.memory.release(&mut f.vm, gva), Err(MemoryRefused::Unknown)));
    assert!(matches!(f.memory.commit(&mut f.vm, gva, 1, u64::MAX), Err(MemoryRefused::Unknown)));
    f.memory.unshare(&mut f.vm, gva).unwrap();
    assert!(f.translate(gva.0).is_none());
    f.check();
}

#[test]
fn only_the_published_part_of_an_artefact_can_be_executed() {
    for (form, forgets) in Form::ALL.into_iter().flat_map(|form| [(form, false), (form, true)]) {
        let mut f = Fixture::of(form);
        f.vm.forgets = forgets;
        let page = f.memory.backing.translation.page_size();
        let bytes = Fixture::shared(10 * page as usize);
        let code = f.memory.share(&mut f.vm, Arc::clone(&bytes), Content::Code).unwrap();
        let module = f.memory.share(&mut f.vm, bytes, Content::Data).unwrap();
        let executable = |f: &Fixture| -> Vec<u64> {
            let at = |n: &u64| f.translate(code.0 + n * page).unwrap();
            (0..10).filter(|n| at(n).executable).collect()
        };
        assert_eq!(executable(&f), []);

        let text = Gva(code.0 + 3 * page);
        f.memory.publish(&mut f.vm, text, 4 * page).unwrap();
        assert_eq!(executable(&f), [3, 4, 5, 6]);
        f.check();

        for (start, len) in [
            (text, 100),
            (Gva(text.0 + 1), page),
            (text, 1 << 30),
            (text, u64::MAX - page + 1),
            (module, page),
            (Gva(HEAP_BASE), page),
            (Gva(0), page),
        ] {
            let refused = f.memory.publish(&mut f.vm, start, len);
            assert!(matches!(refused, Err(MemoryRefused::Unknown)), "{start} {len:#x}");
        }
        assert_eq!(executable(&f), [3, 4, 5, 6]);
    }
}

#[test]
fn known_code_can_be_executed_from_the_start() {
    for form in Form::ALL {
        let mut f = Fixture::of(form);
        let page = f.memory.backing.translation.page_size();
        let len = (2 * LARGE_PAGE + 10 * page) as usize;
        let text = Text { start: page, end: 2 * LARGE_PAGE + page };
        let content = Content::Known(text);
        let code = f.memory.share(&mut f.vm, Fixture::shared(len), content).unwrap();
        for (at, executable) in [
            (0, false),
            (text.start, true),
            (LARGE_PAGE, true),
            (text.end - page, true),
            (text.end, false),
            (len as u64 - page, false),
        ] {
            let leaf = f.translate(code.0 + at).unwrap();
            assert_eq!((leaf.executable, leaf.writable), (executable, false), "{at:#x}");
        }
        f.check();
        // As the engine does, which does not know.
        let start = Gva(code.0 + text.start);
        f.memory.publish(&mut f.vm, start, text.end - text.start).unwrap();
        let more = f.memory.publish(&mut f.vm, start, text.end);
        assert!(matches!(more, Err(MemoryRefused::Unknown)));
    }
}

//! The marks of pages, and what purging does to neighbours.

use super::*;
use crate::memory::{AllocatorBuilder, page_size};

fn block(pages: usize) -> Purgeable {
    let allocator = AllocatorBuilder::new().with_purgeable_behavior(true).build().unwrap();
    allocator.allocate_purgeable(pages).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn one_lost_page_is_found_wherever_its_bytes_are() {
    let page = page_size();
    for at in [0, 1, page / 2, page - 1] {
        let mut memory = block(3);
        for number in 0..3 {
            memory.bytes_mut().unwrap()[number * page + at] = 5;
        }
        memory.make_volatile().unwrap();
        // SAFETY: the middle page of volatile memory: as if the kernel took it.
        unsafe { sys::discard(memory.base().add(page), page) }.unwrap();
        assert_eq!(memory.make_non_volatile().unwrap(), Contents::Purged, "byte {at}");
        assert!(memory.bytes().unwrap().iter().all(|byte| *byte == 0), "no half of it is left");
    }
}

#[test]
fn zeros_are_kept_either_way() {
    let mut memory = block(2);
    memory.bytes_mut().unwrap()[page_size()] = 1;
    memory.make_volatile().unwrap();
    assert_eq!(memory.make_non_volatile().unwrap(), Contents::Kept);
    assert_eq!(memory.bytes().unwrap()[page_size()], 1);
}

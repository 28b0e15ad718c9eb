//! The allocator: guards, protection, inheritance, copies, exhaustion.

use crate::child::{faulted, fork};
use wrt_platform::memory::{
    AllocError, Allocation, Allocator, AllocatorBuilder, Image, VmFlags, VmInherit, VmProt,
    page_size,
};

fn plain() -> Allocator {
    AllocatorBuilder::new().build().unwrap()
}

fn inheriting(inherit: VmInherit) -> Allocation {
    let builder = AllocatorBuilder::new().with_vm_inherit(inherit);
    builder.build().unwrap().allocate(2, None).unwrap()
}

/// A byte before, in or behind an allocation.
fn at(memory: &Allocation, offset: isize) -> *mut u8 {
    memory.base().as_ptr().wrapping_offset(offset)
}

/// Touches a byte in a child; returns whether it died of it.
fn dies(byte: *mut u8, write: bool) -> bool {
    let status = fork(|| {
        // SAFETY: may fault, which ends the child: that is the question.
        unsafe {
            if write {
                byte.write_volatile(1);
            } else {
                byte.read_volatile();
            }
        }
        0
    });
    assert!(faulted(status) || status.success(), "{status}");
    faulted(status)
}

#[test]
fn memory_is_zero_aligned_and_writable() {
    let mut memory = plain().allocate(3, Some(1 << 20)).unwrap();
    assert_eq!(memory.len(), 3 * page_size());
    assert!(memory.base().as_ptr().addr().is_multiple_of(1 << 20));
    let bytes = memory.as_mut_slice().unwrap();
    assert!(bytes.iter().all(|byte| *byte == 0));
    bytes.fill(7);
    memory.reset().unwrap();
    assert!(memory.as_slice().unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn guard_pages_fault() {
    // Several, which the system likes to put side by side.
    let all: Vec<_> = (0..6).map(|_| plain().allocate(2, None).unwrap()).collect();
    for memory in &all {
        let end = memory.len() as isize;
        assert!(!dies(at(memory, 0), true) && !dies(at(memory, end - 1), true));
        for outside in [-1, -(page_size() as isize), end, end + page_size() as isize - 1] {
            assert!(dies(at(memory, outside), false), "read at {outside}");
            assert!(dies(at(memory, outside), true), "write at {outside}");
        }
    }
    let bare = AllocatorBuilder::new().with_guard_pages(false).build().unwrap();
    bare.allocate(2, None).unwrap().as_mut_slice().unwrap().fill(1);
}

#[test]
fn protection_holds_here_and_in_a_child() {
    let allocator = AllocatorBuilder::new().with_vm_protection(VmProt::READ).build().unwrap();
    let mut memory = allocator.allocate(1, None).unwrap();
    assert!(memory.as_mut_slice().is_none());
    assert!(!dies(at(&memory, 0), false) && dies(at(&memory, 0), true));
    memory.protect(VmProt::empty()).unwrap();
    assert!(memory.as_slice().is_none());
    assert!(dies(at(&memory, 0), false));
    memory.protect(VmProt::READ | VmProt::WRITE).unwrap();
    memory.as_mut_slice().unwrap()[0] = 1;
    assert!(!dies(at(&memory, 0), true));
}

#[test]
fn a_child_inherits_nothing_a_copy_or_the_memory_itself() {
    let none = inheriting(VmInherit::None);
    assert!(dies(at(&none, 0), false), "not inherited");

    let mut copy = inheriting(VmInherit::Copy);
    copy.as_mut_slice().unwrap()[0] = 7;
    let byte = at(&copy, 0);
    // SAFETY: inherited, readable and writable.
    let seen = fork(|| unsafe {
        let seen = byte.read_volatile();
        byte.write_volatile(9);
        seen
    });
    assert_eq!(seen.code(), Some(7), "the child has the contents");
    assert_eq!(copy.as_slice().unwrap()[0], 7, "and writes its own");

    let share = inheriting(VmInherit::Share);
    assert!(share.as_slice().is_none(), "another process may write it");
    let byte = at(&share, 0);
    // SAFETY: as above; the child is over when it is read here.
    fork(|| unsafe {
        byte.write_volatile(9);
        0
    });
    // SAFETY: as above.
    assert_eq!(unsafe { byte.read_volatile() }, 9, "the child wrote this memory");
}

#[test]
fn a_copy_keeps_the_inheritance() {
    for inherit in [VmInherit::None, VmInherit::Copy, VmInherit::Share] {
        let allocator = AllocatorBuilder::new().with_vm_inherit(inherit).build().unwrap();
        let mut source = allocator.allocate(1, None).unwrap();
        // SAFETY: the test's memory.
        unsafe { at(&source, 0).write_volatile(5) };
        let copy = allocator.vm_remap(&mut source, VmFlags::COPY_ON_WRITE).unwrap();
        for memory in [&source, &copy] {
            let byte = at(memory, 0);
            // SAFETY: readable and writable, where it is inherited.
            let child = fork(|| unsafe {
                let seen = byte.read_volatile();
                byte.write_volatile(9);
                seen
            });
            // SAFETY: the test's memory.
            let after = unsafe { byte.read_volatile() };
            match inherit {
                VmInherit::None => assert!(faulted(child)),
                VmInherit::Copy => assert_eq!((child.code(), after), (Some(5), 5)),
                VmInherit::Share => assert_eq!((child.code(), after), (Some(5), 9)),
            }
        }
    }
}

#[test]
fn vm_copy_copies_so_many_bytes() {
    let allocator = plain();
    let mut from = allocator.allocate(2, None).unwrap();
    let mut to = allocator.allocate(3, None).unwrap();
    from.as_mut_slice().unwrap().fill(7);
    let len = page_size() + 100;
    allocator.vm_copy(&from, &mut to, len).unwrap();
    from.as_mut_slice().unwrap().fill(8);
    let bytes = to.as_slice().unwrap();
    assert!(bytes[..len].iter().all(|byte| *byte == 7), "of the moment of the copy");
    assert!(bytes[len..].iter().all(|byte| *byte == 0), "and no more");
    let len = to.len();
    let error = allocator.vm_copy(&from, &mut to, len).unwrap_err();
    assert!(matches!(error, AllocError::Range { .. }), "{error}");
    to.protect(VmProt::READ).unwrap();
    let error = allocator.vm_copy(&from, &mut to, 1).unwrap_err();
    assert!(matches!(error, AllocError::Protected(_)), "{error}");
}

#[test]
fn a_copy_shares_pages_until_they_are_written() {
    let allocator = plain();
    let mut source = allocator.allocate(64, None).unwrap();
    source.as_mut_slice().unwrap().fill(7);
    assert_eq!(source.own_pages().unwrap(), 64);
    let mut copies: Vec<_> =
        (0..3).map(|_| allocator.vm_remap(&mut source, VmFlags::COPY_ON_WRITE).unwrap()).collect();
    assert_eq!(source.own_pages().unwrap(), 0, "the source shares them, too");
    for copy in &copies {
        assert!(copy.as_slice().unwrap().iter().all(|byte| *byte == 7));
        assert_eq!(copy.own_pages().unwrap(), 0, "reading makes no page its own");
    }
    for page in [0, 30, 63] {
        copies[0].as_mut_slice().unwrap()[page * page_size()] = 9;
    }
    assert_eq!(copies[0].own_pages().unwrap(), 3, "a page for each page written");
    assert_eq!(copies[1].own_pages().unwrap(), 0);
    source.as_mut_slice().unwrap()[0] = 5;
    assert_eq!(copies[0].as_slice().unwrap()[0], 9);
    assert_eq!(copies[1].as_slice().unwrap()[0], 7, "neither the source's write nor the copy's");
    let late = allocator.vm_remap(&mut source, VmFlags::COPY_ON_WRITE).unwrap();
    assert_eq!(late.as_slice().unwrap()[0], 5, "a later copy is of a later moment");
    copies[0].reset().unwrap();
    assert_eq!(copies[0].as_slice().unwrap()[0], 7, "reset brings back what it was a copy of");
    drop(source);
    assert_eq!(copies[2].as_slice().unwrap()[0], 7, "copies outlive the source");
}

#[test]
fn an_image_has_any_number_of_copies() {
    let image = Image::copy_of(&vec![3; 5 * page_size() - 10]).unwrap();
    assert_eq!(image.len(), 5 * page_size());
    let allocator = AllocatorBuilder::new().with_maximum_pages(20).build().unwrap();
    let copies: Vec<_> = (0..4).map(|_| allocator.instantiate(&image).unwrap()).collect();
    for copy in &copies {
        let (content, rest) = copy.as_slice().unwrap().split_at(5 * page_size() - 10);
        assert!(content.iter().all(|byte| *byte == 3) && rest.iter().all(|byte| *byte == 0));
    }
    assert!(matches!(allocator.instantiate(&image), Err(AllocError::Exhausted { .. })));
}

#[test]
fn exhaustion_is_an_error_and_what_is_dropped_comes_back() {
    let allocator = AllocatorBuilder::new().with_maximum_pages(10).build().unwrap();
    let first = allocator.allocate(6, None).unwrap();
    match allocator.allocate(5, None) {
        Err(AllocError::Exhausted { pages: 5, left: 4, maximum: 10 }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(allocator.pages_in_use(), 6);
    drop(first);
    assert_eq!(allocator.pages_in_use(), 0);
    allocator.allocate(10, None).unwrap();
    let reserved = allocator.reserve(4 * page_size()).unwrap();
    assert!(matches!(allocator.reserve(7 * page_size()), Err(AllocError::Exhausted { .. })));
    drop(reserved);

    assert!(matches!(plain().allocate(0, None), Err(AllocError::Size(0))));
    assert!(matches!(plain().allocate(usize::MAX, None), Err(AllocError::Size(_))));
    assert!(matches!(plain().allocate(1, Some(3)), Err(AllocError::Alignment(3))));
    let too_much = plain().allocate(1 << 40, None);
    assert!(matches!(too_much, Err(AllocError::System { .. })), "more than any address space");
}

#[test]
fn random_addresses_are_apart() {
    let allocator = AllocatorBuilder::new().with_vm_flags(VmFlags::RANDOM_ADDR).build().unwrap();
    let memory: Vec<_> = (0..9).map(|_| allocator.allocate(1, None).unwrap()).collect();
    let far = memory
        .windows(2)
        .filter(|pair| pair[0].base().addr().get().abs_diff(pair[1].base().addr().get()) > 1 << 24)
        .count();
    assert!(far >= 6, "{far} of 8 distances are more than 16 MiB");
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let allocator = plain();
    let purgeable = AllocatorBuilder::new().with_purgeable_behavior(true).build().unwrap();
    let mut memory = allocator.allocate(1, None).unwrap();
    let refused = allocator.vm_remap(&mut memory, VmFlags::empty());
    assert!(matches!(refused, Err(AllocError::NotCopyOnWrite)));
    let refused = purgeable.vm_remap(&mut memory, VmFlags::COPY_ON_WRITE);
    assert!(matches!(refused, Err(AllocError::PurgeableShared)));
    let mut memory = purgeable.allocate(1, None).unwrap();
    let refused = allocator.vm_remap(&mut memory, VmFlags::COPY_ON_WRITE);
    assert!(matches!(refused, Err(AllocError::PurgeableShared)));
    assert!(matches!(allocator.allocate_purgeable(1), Err(AllocError::NotPurgeable)));
}

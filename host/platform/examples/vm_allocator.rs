//! Memory by the page: guards, flags, protection, inheritance; a copy, and one that shares.
//!
//!     cargo run -p wrt-platform --example vm_allocator

use wrt_platform::memory::{
    AllocError, Allocator, AllocatorBuilder, VmFlags, VmInherit, VmProt, page_size,
};

fn main() -> Result<(), AllocError> {
    let allocator = create_allocator()?;
    println!("an allocator of {} pages, with guards", allocator.maximum_pages());
    fast_memory_copy(&allocator)?;
    println!("{} pages are in use at the end", allocator.pages_in_use());

    match allocator.allocate(4096, None) {
        Err(error @ AllocError::Exhausted { .. }) => println!("too many: {error}"),
        other => println!("too many: {}", other.is_ok()),
    }
    Ok(())
}

fn create_allocator() -> Result<Allocator, AllocError> {
    AllocatorBuilder::new()
        .with_maximum_pages(2048)
        .with_guard_pages(true)
        // Not purgeable: what the system may take cannot be shared copy-on-write.
        .with_vm_flags(VmFlags::RANDOM_ADDR | VmFlags::NO_CACHE)
        .with_vm_protection(VmProt::READ | VmProt::WRITE)
        .with_vm_inherit(VmInherit::None)
        .build()
}

fn fast_memory_copy(allocator: &Allocator) -> Result<(), AllocError> {
    let mut source = allocator.allocate(100, None)?;
    let mut target = allocator.allocate(100, None)?;
    if let Some(bytes) = source.as_mut_slice() {
        bytes.fill(7);
    }

    let size = source.len();
    allocator.vm_copy(&source, &mut target, size)?;
    println!("a copy: {}", if source.as_slice() == target.as_slice() { "equal" } else { "wrong" });

    let mut shared = allocator.vm_remap(&mut source, VmFlags::COPY_ON_WRITE)?;
    println!("shared copy-on-write: {} of {} pages its own", shared.own_pages()?, shared.pages());
    if let Some(bytes) = shared.as_mut_slice() {
        bytes[0] = 1;
        bytes[50 * page_size()] = 1;
    }
    println!("after two writes: {} of {} pages its own", shared.own_pages()?, shared.pages());
    let untouched = source.as_slice().is_some_and(|bytes| bytes.iter().all(|byte| *byte == 7));
    println!("the source: {}", if untouched { "unchanged" } else { "changed" });
    Ok(())
}

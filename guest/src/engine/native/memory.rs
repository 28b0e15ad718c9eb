//! Linear memories: each is a region, which grows in place.
//!
//! wasmtime would map a memory's reservation itself, and move a 64-bit memory that outgrows it:
//! for a while both copies would count against the VM's limit.

use crate::hostcall;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use wasmtime::{Error, LinearMemory, MemoryCreator, MemoryType, Result};
use wrt_abi::layout::{GRANULE, REGION_FIRST, REGION_MAX, REGION_STRIDE};

/// Whether [`REGION_FIRST`] was not used yet.
static FIRST_IS_FREE: AtomicBool = AtomicBool::new(true);

/// What makes linear memories.
pub struct Regions;

// SAFETY: a region is its memory's alone until that is dropped, and the host hands it out zeroed.
// Beyond what is committed, a multiple of `GRANULE` and no more than asked for, the whole stride
// faults: the reservation and the guard, as `new_memory` checks.
unsafe impl MemoryCreator for Regions {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        let faults_up_to = reserved.unwrap_or(0).saturating_add(guard);
        if faults_up_to as u64 > REGION_STRIDE || guard as u64 > REGION_STRIDE - REGION_MAX {
            return Err(String::from("a memory with a larger guard than regions have"));
        }
        let memory = if FIRST_IS_FREE.swap(false, Ordering::Relaxed) {
            let mut first = RegionMemory { base: REGION_FIRST as usize, len: 0, usable: 0 };
            first.make_usable(minimum).map(|()| first)
        } else {
            RegionMemory::reserve(minimum)
        };
        match memory {
            Some(mut memory) => {
                memory.len = minimum;
                Ok(Box::new(memory))
            }
            None => Err(format!("the host refuses a memory of {minimum} bytes")),
        }
    }
}

/// A linear memory.
struct RegionMemory {
    base: usize,
    /// Bytes of the memory.
    len: usize,
    /// Bytes that do not fault.
    usable: usize,
}

impl RegionMemory {
    fn reserve(minimum: usize) -> Option<Self> {
        let usable = whole_granules(minimum)?;
        let base = hostcall::region_reserve(usable)?;
        Some(Self { base, len: 0, usable })
    }

    /// Makes the first `len` bytes usable. Those after their granule's end still fault.
    fn make_usable(&mut self, len: usize) -> Option<()> {
        let wanted = whole_granules(len)?;
        if wanted > self.usable {
            hostcall::region_commit(self.base, wanted, wanted)?;
            self.usable = wanted;
        }
        Some(())
    }
}

/// `len` in whole granules, if a region can have as many bytes.
fn whole_granules(len: usize) -> Option<usize> {
    let len = len.checked_next_multiple_of(GRANULE as usize)?;
    (len as u64 <= REGION_MAX).then_some(len)
}

// SAFETY: the base never moves, `byte_size` bytes from it are usable, and the memory's own.
unsafe impl LinearMemory for RegionMemory {
    fn byte_size(&self) -> usize {
        self.len
    }

    fn byte_capacity(&self) -> usize {
        REGION_MAX as usize
    }

    fn grow_to(&mut self, new_size: usize) -> Result<()> {
        if self.make_usable(new_size).is_none() {
            return Err(Error::msg(format!("the host refuses a memory of {new_size} bytes")));
        }
        self.len = new_size;
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        ptr::with_exposed_provenance_mut(self.base)
    }
}

impl Drop for RegionMemory {
    fn drop(&mut self) {
        hostcall::region_release(self.base);
    }
}

//! The runtime's memory: a heap for small blocks, a region each for large ones.
//!
//! A block of [`LARGE`] bytes or more (every real linear memory) gets a region of its own
//! from the host: address space that can grow in place to gigabytes, whose pages are zero
//! and cost nothing until they are touched. Everything else comes from one heap, which the
//! host extends on request. When the host refuses, allocation fails like any other: callers
//! that can cope (a `memory.grow`) do, the rest ends in `Call::OutOfMemory`.

use crate::hostcall;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use talc::base::{Talc, binning::Binning};
use talc::cell::{TalcCell, TalcSyncCell};
use talc::source::Source;
use wrt_abi::layout::{
    GRANULE, HEAP_BASE, HEAP_INITIAL, HEAP_MAX, REGION_BASE, REGION_COUNT, REGION_STRIDE,
};

/// Smallest block that gets a region.
const LARGE: usize = 256 << 10;
/// Least that the heap grows by: an exit costs more than a few unused pages.
const HEAP_STEP: usize = 256 << 10;

#[global_allocator]
static ALLOCATOR: Kernel = Kernel {
    // SAFETY: the guest has one vCPU and no interrupts, so nothing runs concurrently.
    small: unsafe { TalcSyncCell::new(TalcCell::new(GrowingHeap { end: ptr::null_mut() })) },
};

static REGIONS: Regions = Regions([const { AtomicUsize::new(0) }; REGION_COUNT as usize]);
static REFUSALS: AtomicUsize = AtomicUsize::new(0);
static LARGEST_REFUSED: AtomicUsize = AtomicUsize::new(0);

/// How many allocations failed so far.
#[cfg(feature = "native")]
pub fn refusals() -> usize {
    REFUSALS.load(Ordering::Relaxed)
}

/// Size in bytes of the largest allocation that failed so far.
pub fn largest_refused() -> usize {
    LARGEST_REFUSED.load(Ordering::Relaxed)
}

struct Kernel {
    small: TalcSyncCell<GrowingHeap, talc::DefaultBinning>,
}

/// Bytes usable in each region, by its number. The host's word, kept to save exits.
struct Regions([AtomicUsize; REGION_COUNT as usize]);

impl Regions {
    fn usable(&self, block: *mut u8) -> Option<&AtomicUsize> {
        let offset = block.addr().checked_sub(REGION_BASE as usize)?;
        self.0.get(offset / REGION_STRIDE as usize)
    }

    fn allocate(&self, size: usize) -> *mut u8 {
        let base = hostcall::region_reserve(size);
        let block = base.map_or(ptr::null_mut(), ptr::with_exposed_provenance_mut);
        if let Some(usable) = self.usable(block) {
            usable.store(size, Ordering::Relaxed);
        }
        block
    }

    /// Makes `size` bytes of the region at `block` usable, in place.
    fn resize(&self, block: *mut u8, size: usize) -> bool {
        let Some(usable) = self.usable(block) else { return false };
        if size <= usable.load(Ordering::Relaxed) {
            return true;
        }
        let granted = hostcall::region_commit(block.addr(), size, usize::MAX);
        granted.inspect(|&bytes| usable.store(bytes, Ordering::Relaxed)).is_some()
    }
}

// SAFETY: blocks come from talc or from a region each and never overlap; a layout's size
// tells which, and the same layout is given back on `dealloc` and `realloc`.
unsafe impl GlobalAlloc for Kernel {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = if is_large(layout) {
            REGIONS.allocate(layout.size())
        } else {
            // SAFETY: the caller's promise is talc's.
            unsafe { self.small.alloc(layout) }
        };
        if block.is_null() {
            REFUSALS.fetch_add(1, Ordering::Relaxed);
            LARGEST_REFUSED.fetch_max(layout.size(), Ordering::Relaxed);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is `alloc`'s; the block is `layout.size()` bytes long.
        unsafe {
            let block = self.alloc(layout);
            // A region comes zeroed from the host.
            if !block.is_null() && !is_large(layout) {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_large(layout) {
            hostcall::region_release(block.addr());
        } else {
            // SAFETY: the block came from talc with this layout.
            unsafe { self.small.dealloc(block, layout) }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: `GlobalAlloc::realloc` vouches for the new size with the old alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (is_large(layout), is_large(new)) {
            (true, true) if REGIONS.resize(block, size) => block,
            // SAFETY: the block came from talc with this layout.
            (false, false) => unsafe { self.small.realloc(block, layout, size) },
            // SAFETY: both blocks hold at least the smaller size and do not overlap.
            _ => unsafe {
                let moved = self.alloc(new);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}

/// What the patched wasmi asks before it writes zeros over a memory that has grown: a block
/// in a region grows by bytes that nobody has touched.
#[cfg(feature = "interp")]
#[unsafe(no_mangle)]
extern "Rust" fn wrt_grows_zeroed(capacity: usize) -> bool {
    capacity >= LARGE
}

/// Regions are aligned to [`GRANULE`]; nothing asks for more.
fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= GRANULE as usize
}

/// talc's source: the heap region, extended as needed.
#[derive(Debug)]
struct GrowingHeap {
    /// One past the last byte that talc manages; null before the first extension.
    end: *mut u8,
}

// SAFETY: `acquire` reaches talc only through the reference it is given, and only with
// memory that the host has just made usable and that nothing else uses.
unsafe impl Source for GrowingHeap {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        let base: *mut u8 = ptr::with_exposed_provenance_mut(HEAP_BASE as usize);
        let old = talc.source.end;
        let used = if old.is_null() { 0 } else { old.addr() - base.addr() };
        // Room for the block, its alignment and talc's own tags.
        let wanted = layout.size().checked_add(layout.align()).ok_or(())?.max(HEAP_STEP);
        let wanted = used.checked_add(wanted + HEAP_STEP / 4).ok_or(())?;
        if wanted > HEAP_MAX as usize {
            return Err(());
        }
        let usable = match wanted <= HEAP_INITIAL as usize {
            true => HEAP_INITIAL as usize,
            false => hostcall::region_commit(base.addr(), wanted, usize::MAX).ok_or(())?,
        };
        let end = base.wrapping_add(usable.min(HEAP_MAX as usize));
        // SAFETY: `base..end` is mapped read-write and, beyond `old`, unused so far.
        let end = unsafe {
            match ptr::NonNull::new(old) {
                None => talc.claim(base, usable).ok_or(())?,
                Some(old) => talc.extend(old, end),
            }
        };
        talc.source.end = end.as_ptr();
        Ok(())
    }
}

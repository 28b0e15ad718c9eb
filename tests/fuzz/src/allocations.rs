//! The largest allocation that a thread asks for: who takes memory on a stranger's word is found
//! out, although no page of it is touched.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// Does something, and returns with its result the most bytes that it asked for in one piece.
pub(crate) fn largest<T>(what: impl FnOnce() -> T) -> (T, usize) {
    LARGEST.set(0);
    let result = what();
    (result, LARGEST.get())
}

fn note(bytes: usize) {
    // A thread that ends has none any more.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

/// The system's allocator, watched.
struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

// SAFETY: all is the system's doing. What is noted needs no allocation: the cell is constant at
// first, and has nothing to drop.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as before.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: as before.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as before.
        unsafe { System.dealloc(memory, layout) }
    }
}

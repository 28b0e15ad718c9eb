//! Memory that the system may take back while nobody needs it.
//!
//! Its owner says when that is: it is *volatile* then, and its bytes cannot be reached. When they
//! are wanted again the owner makes it non-volatile and is told whether they are still there. If
//! any of them is gone, all are, and all read as zero: there is no state in between.
//!
//! macOS knows this kind of memory. On Linux `MADV_FREE` gives the pages away lazily, one by one
//! and without a word, so that each page has a *mark*: one of its bytes that is not zero, noted
//! when it became volatile. Beside that there is a registry of all volatile memory, oldest first,
//! of which [`purge`] takes as much as is wanted: it is what memory pressure calls.

mod registry;
#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(target_os = "macos", path = "macos.rs")]
mod sys;

pub use registry::{purge, purge_all, volatile_bytes};
pub(super) use sys::HOW;

use super::error::while_doing;
use super::{AllocError, Allocation};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who may take the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PurgeableState {
    /// Nobody: it is in use.
    NonVolatile,
    /// The system, whenever it likes.
    Volatile,
    /// It was taken: there are no contents.
    Empty,
}

/// Whether contents outlived the time that they were volatile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was purged is zero and has to be made anew"]
pub enum Contents {
    /// Every byte is as it was.
    Kept,
    /// Every byte is zero.
    Purged,
}

/// Pages whose contents the system may take while they are volatile. Their owner is told when it
/// makes them non-volatile: either every byte is as it was, or every byte is zero. Made by
/// [`Allocator::allocate_purgeable`](super::Allocator::allocate_purgeable), given back when
/// dropped.
#[derive(Debug)]
pub struct Purgeable {
    block: Arc<Block>,
    /// Its place in the registry, while it is volatile.
    place: Option<u64>,
}

#[derive(Debug)]
struct Block {
    memory: Allocation,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    NonVolatile,
    Volatile(sys::Marks),
    Empty,
}

impl Purgeable {
    /// Readable and writable memory that no child has.
    pub(super) fn new(memory: Allocation) -> Self {
        Self {
            block: Arc::new(Block { memory, state: Mutex::new(State::NonVolatile) }),
            place: None,
        }
    }

    /// First byte. Whoever reaches it through this pointer sees to the state.
    pub fn base(&self) -> NonNull<u8> {
        self.block.memory.base()
    }

    /// Length in bytes: whole pages.
    pub fn len(&self) -> usize {
        self.block.memory.len()
    }

    /// Whether there are no bytes: never.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The state as far as it is known: that the system took volatile memory by itself is found
    /// out by making it non-volatile.
    pub fn state(&self) -> PurgeableState {
        match *self.block.lock() {
            State::NonVolatile => PurgeableState::NonVolatile,
            State::Volatile(_) => PurgeableState::Volatile,
            State::Empty => PurgeableState::Empty,
        }
    }

    /// The bytes.
    ///
    /// # Errors
    ///
    /// `Volatile` unless the memory is non-volatile.
    pub fn bytes(&self) -> Result<&[u8], AllocError> {
        self.check()?;
        // SAFETY: readable memory of this value's. It stays non-volatile while `self` is
        // borrowed, and nothing but `bytes_mut` writes it then.
        Ok(unsafe { std::slice::from_raw_parts(self.base().as_ptr(), self.len()) })
    }

    /// The bytes, to write.
    ///
    /// # Errors
    ///
    /// As [`Self::bytes`].
    pub fn bytes_mut(&mut self) -> Result<&mut [u8], AllocError> {
        self.check()?;
        // SAFETY: as in `bytes`, borrowed exclusively.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.base().as_ptr(), self.len()) })
    }

    fn check(&self) -> Result<(), AllocError> {
        match self.state() {
            PurgeableState::NonVolatile => Ok(()),
            PurgeableState::Volatile | PurgeableState::Empty => Err(AllocError::Volatile),
        }
    }

    /// Lets the system take the memory.
    ///
    /// # Errors
    ///
    /// What the system says; the memory is as before then.
    pub fn make_volatile(&mut self) -> Result<(), AllocError> {
        {
            let mut state = self.block.lock();
            if !matches!(*state, State::NonVolatile) {
                return Ok(());
            }
            // SAFETY: this value's memory, which nobody uses while `self` is borrowed.
            let marks = unsafe { sys::make_volatile(self.base(), self.len()) };
            *state = State::Volatile(marks.map_err(while_doing("make memory volatile"))?);
        }
        self.place = Some(registry::add(&self.block));
        Ok(())
    }

    /// Keeps the memory, and says whether its contents are still there.
    ///
    /// # Errors
    ///
    /// What the system says; the memory is as before then.
    pub fn make_non_volatile(&mut self) -> Result<Contents, AllocError> {
        self.forget_place();
        let mut state = self.block.lock();
        let (start, len) = (self.base(), self.len());
        // SAFETY: this value's memory, which nobody uses: it was not non-volatile, or is left
        // alone.
        let contents = unsafe {
            match &*state {
                State::NonVolatile => Ok(Contents::Kept),
                State::Volatile(marks) => sys::make_non_volatile(start, len, Some(marks)),
                State::Empty => sys::make_non_volatile(start, len, None),
            }
        }
        .map_err(while_doing("make memory non-volatile"))?;
        *state = State::NonVolatile;
        Ok(contents)
    }

    /// Gives the contents up.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn empty(&mut self) -> Result<(), AllocError> {
        self.forget_place();
        self.block.discard().map_err(while_doing("empty memory"))
    }

    /// Goes to a state, and says whether the contents were gone when it did: what
    /// [`Self::make_volatile`], [`Self::make_non_volatile`] and [`Self::empty`] do.
    ///
    /// # Errors
    ///
    /// As these.
    pub fn set_state(&mut self, state: PurgeableState) -> Result<bool, AllocError> {
        let was_empty = self.state() == PurgeableState::Empty;
        match state {
            PurgeableState::NonVolatile => {
                self.make_non_volatile().map(|contents| contents == Contents::Purged)
            }
            PurgeableState::Volatile => self.make_volatile().map(|()| was_empty),
            PurgeableState::Empty => self.empty().map(|()| was_empty),
        }
    }

    fn forget_place(&mut self) {
        if let Some(place) = self.place.take() {
            registry::remove(place);
        }
    }
}

impl Drop for Purgeable {
    fn drop(&mut self) {
        self.forget_place();
    }
}

impl Block {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after any panic: it is changed in one step.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the memory if it is volatile; returns the bytes taken.
    fn purge(&self) -> usize {
        let mut state = self.lock();
        if !matches!(*state, State::Volatile(_)) {
            return 0;
        }
        // SAFETY: the block's memory; nobody uses it while it is volatile.
        if unsafe { sys::discard(self.memory.base(), self.memory.len()) }.is_err() {
            return 0;
        }
        *state = State::Empty;
        self.memory.len()
    }

    /// Takes the memory. Its owner asks, and does not use it.
    fn discard(&self) -> std::io::Result<()> {
        let mut state = self.lock();
        // SAFETY: the owner's `&mut self` proves that no reference to the bytes is left.
        unsafe { sys::discard(self.memory.base(), self.memory.len()) }?;
        *state = State::Empty;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
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
}

//! Code that is used again and again, in memory.
//!
//! What is found for the first time is a mapping of its file; most programs find it once. Of what is
//! found again there is a copy, which need not be checked again: nobody else can write it. While
//! no VM uses it the system may take its pages, and it is read from its file the next time.

use crate::artifact::Header;
use crate::module::Module;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use wrt_platform::memory::{
    AllocError, AllocatorBuilder, Contents, PAGE_MAX, Purgeable, SharedBytes, page_size,
};

/// Bytes that nobody uses and that are kept all the same, at most.
const IDLE_MAX: usize = 256 << 20;
/// Names that are known, at most.
const NAMES_MAX: usize = 4096;

/// Copies of files, by their names.
#[derive(Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Default)]
struct State {
    copies: HashMap<String, Place>,
    /// Counts what becomes idle.
    now: u64,
    counts: CacheCounts,
}

/// Where a copy is.
enum Place {
    /// None: the file was used once.
    None,
    InUse(Header, Weak<SharedBytes>),
    Idle {
        header: Header,
        memory: Purgeable,
        since: u64,
    },
}

/// Where a cache has found code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// In a file, which was read and checked.
    pub files: usize,
    /// In memory.
    pub memory: usize,
    /// Copies in memory that the system had taken when they were wanted.
    pub purged: usize,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after any panic: it is changed in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of a file, if there is one.
    pub(super) fn take(self: &Arc<Self>, name: &str) -> Option<Module> {
        let mut state = self.lock();
        let copy = state.copies.get_mut(name)?;
        let (header, bytes) = match copy {
            Place::None => return None,
            Place::InUse(header, bytes) => (*header, bytes.upgrade()?),
            Place::Idle { .. } => {
                let Place::Idle { header, mut memory, .. } = std::mem::replace(copy, Place::None)
                else {
                    return None;
                };
                if !matches!(memory.make_non_volatile(), Ok(Contents::Kept)) {
                    state.counts.purged += 1;
                    return None;
                }
                let bytes = self.lend(name, header, memory).ok()?;
                *copy = Place::InUse(header, Arc::downgrade(&bytes));
                (header, bytes)
            }
        };
        state.counts.memory += 1;
        Some(Module::shared(bytes, header))
    }

    /// Takes note of what was found in a file; if that is not the first time, there is a copy from
    /// now on.
    pub(super) fn found(self: &Arc<Self>, name: &str, found: Module) -> Module {
        let mut state = self.lock();
        state.counts.files += 1;
        let known = state.copies.contains_key(name);
        if !known {
            if state.copies.len() >= NAMES_MAX {
                state.copies.retain(|_, copy| !matches!(copy, Place::None));
            }
            state.copies.insert(name.to_owned(), Place::None);
            return found;
        }
        drop(state);
        // Without the lock: it takes a while.
        let (Some(header), Ok(memory)) = (found.header().copied(), copy_of(found.as_slice()))
        else {
            return found;
        };
        let Ok(bytes) = self.lend(name, header, memory) else { return found };
        let copy = Place::InUse(header, Arc::downgrade(&bytes));
        self.lock().copies.insert(name.to_owned(), copy);
        Module::shared(bytes, header)
    }

    /// Lends memory to whoever uses the code; it comes back when nobody does any more.
    fn lend(
        self: &Arc<Self>,
        name: &str,
        header: Header,
        memory: Purgeable,
    ) -> Result<Arc<SharedBytes>, AllocError> {
        let (kept, name) = (Arc::downgrade(self), name.to_owned());
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let give_back = move |memory| {
            if let Some(kept) = kept.upgrade() {
                kept.keep(&name, header, memory);
            }
        };
        SharedBytes::lent(memory, len, give_back).map(Arc::new)
    }

    /// Nobody uses a copy any more: the system may have it.
    fn keep(&self, name: &str, header: Header, mut memory: Purgeable) {
        if memory.make_volatile().is_err() {
            return;
        }
        let mut state = self.lock();
        state.now += 1;
        let since = state.now;
        // Else it was thrown out meanwhile.
        if let Some(copy) = state.copies.get_mut(name) {
            *copy = Place::Idle { header, memory, since };
            state.shed();
        }
    }

    /// Forgets a file.
    pub(super) fn forget(&self, name: &str) {
        self.lock().copies.remove(name);
    }

    /// Forgets all files.
    pub(super) fn clear(&self) {
        self.lock().copies.clear();
    }

    pub(super) fn counts(&self) -> CacheCounts {
        self.lock().counts
    }
}

impl State {
    /// Gives up what was idle for longest, if it is too much.
    fn shed(&mut self) {
        let mut idle: Vec<_> = self
            .copies
            .values_mut()
            .filter_map(|copy| match copy {
                Place::Idle { memory, since, .. } => Some((*since, memory.len(), copy)),
                _ => None,
            })
            .collect();
        idle.sort_by_key(|(since, ..)| *since);
        let mut size: usize = idle.iter().map(|(_, size, _)| size).sum();
        for (_, len, copy) in idle {
            if size <= IDLE_MAX {
                break;
            }
            *copy = Place::None;
            size -= len;
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Kept").field(&self.counts()).finish()
    }
}

fn copy_of(bytes: &[u8]) -> Result<Purgeable, AllocError> {
    let allocator = AllocatorBuilder::new().with_purgeable_behavior(true).build()?;
    let whole = bytes.len().div_ceil(PAGE_MAX) * (PAGE_MAX / page_size());
    let mut memory = allocator.allocate_purgeable(whole)?;
    memory.bytes_mut()?[..bytes.len()].copy_from_slice(bytes);
    Ok(memory)
}

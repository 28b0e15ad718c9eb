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
    /// Counts what is lent and what comes back.
    now: u64,
    /// When something was thrown out last.
    thrown_out: u64,
    counts: CacheCounts,
}

/// Where a copy is.
enum Place {
    /// None: the file was used once.
    None,
    InUse {
        header: Header,
        bytes: Weak<SharedBytes>,
        /// Tells it from what had the name before.
        loan: u64,
    },
    Idle {
        header: Header,
        memory: Purgeable,
        /// When it came back.
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
        let state = &mut *state;
        let copy = state.copies.get_mut(name)?;
        let (header, bytes) = match copy {
            Place::None => return None,
            Place::InUse { header, bytes, .. } => (*header, bytes.upgrade()?),
            Place::Idle { .. } => {
                let Place::Idle { header, mut memory, .. } = std::mem::replace(copy, Place::None)
                else {
                    return None;
                };
                if !matches!(memory.make_non_volatile(), Ok(Contents::Kept)) {
                    state.counts.purged += 1;
                    return None;
                }
                state.now += 1;
                let (place, bytes) = self.lend(name, header, memory, state.now).ok()?;
                *copy = place;
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
        state.now += 1;
        let loan = state.now;
        drop(state);
        // Without the lock: it takes a while.
        let (Some(header), Ok(memory)) = (found.header().copied(), copy_of(found.as_slice()))
        else {
            return found;
        };
        let Ok((place, bytes)) = self.lend(name, header, memory, loan) else { return found };
        let mut state = self.lock();
        // Else it may have been this.
        if state.thrown_out < loan {
            state.copies.insert(name.to_owned(), place);
        }
        drop(state);
        Module::shared(bytes, header)
    }

    /// Lends memory to whoever uses the code; it comes back when nobody does any more.
    fn lend(
        self: &Arc<Self>,
        name: &str,
        header: Header,
        memory: Purgeable,
        loan: u64,
    ) -> Result<(Place, Arc<SharedBytes>), AllocError> {
        let (kept, name) = (Arc::downgrade(self), name.to_owned());
        let len = usize::try_from(header.len).unwrap_or(usize::MAX);
        let give_back = move |memory| {
            if let Some(kept) = kept.upgrade() {
                kept.keep(&name, header, memory, loan);
            }
        };
        let bytes = Arc::new(SharedBytes::lent(memory, len, give_back)?);
        let place = Place::InUse { header, bytes: Arc::downgrade(&bytes), loan };
        Ok((place, bytes))
    }

    /// Nobody uses a copy any more: the system may have it.
    fn keep(&self, name: &str, header: Header, mut memory: Purgeable, returned: u64) {
        if memory.make_volatile().is_err() {
            return;
        }
        let mut state = self.lock();
        state.now += 1;
        let since = state.now;
        // Else it was thrown out meanwhile, though what has its name now may be another copy.
        if let Some(copy) = state.copies.get_mut(name)
            && matches!(copy, Place::InUse { loan, .. } if *loan == returned)
        {
            *copy = Place::Idle { header, memory, since };
            state.shed(IDLE_MAX);
        }
    }

    /// Forgets a file.
    pub(super) fn forget(&self, name: &str) {
        self.lock().throw_out(|copies| drop(copies.remove(name)));
    }

    /// Forgets all files.
    pub(super) fn clear(&self) {
        self.lock().throw_out(HashMap::clear);
    }

    pub(super) fn counts(&self) -> CacheCounts {
        self.lock().counts
    }
}

impl State {
    fn throw_out(&mut self, what: impl FnOnce(&mut HashMap<String, Place>)) {
        self.now += 1;
        self.thrown_out = self.now;
        what(&mut self.copies);
    }

    /// Gives up what was idle for longest, until what is left has at most so many bytes.
    fn shed(&mut self, most: usize) {
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
            if size <= most {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Target;

    fn code(byte: u8) -> Module {
        let code = [byte; 100];
        let target = Target::baseline(Target::ARCH);
        let header = Header::new(target, blake3::Hash::from([byte; 32]), &code);
        let bytes = SharedBytes::new(code.len(), |to| {
            to.copy_from_slice(&code);
            Ok::<_, std::io::Error>(())
        });
        Module::compiled(bytes.unwrap(), header)
    }

    #[test]
    fn what_was_idle_for_longest_is_given_up_first() {
        let kept = Arc::new(Kept::default());
        let names = ["a", "b", "c", "d"];
        let [a, b, c, _in_use] = names.map(|name| {
            kept.found(name, code(1));
            kept.found(name, code(1))
        });
        drop((a, b, c));
        // "a" is used again: "b" is idle for longest.
        assert!(kept.take("a").is_some());
        let each = copy_of(code(1).as_slice()).unwrap().len();
        kept.lock().shed(2 * each);
        assert!(kept.take("b").is_none());
        for name in ["a", "c", "d"] {
            assert!(kept.take(name).is_some(), "{name}");
        }
        kept.lock().shed(0);
        assert_eq!(names.map(|name| kept.take(name).is_some()), [false, false, false, true]);
    }

    /// It came back when the name was known again, in the place of what had the name then.
    #[test]
    fn a_copy_that_was_thrown_out_does_not_come_back() {
        for again in 0..3 {
            let kept = Arc::new(Kept::default());
            kept.found("name", code(1));
            let thrown_out = kept.found("name", code(1));
            kept.forget("name");
            let mut newer = Vec::new();
            newer.extend((0..again).map(|_| kept.found("name", code(2))));
            drop(thrown_out);
            for _ in 0..2 {
                let found = kept.take("name");
                assert_eq!(found.is_some(), again == 2);
                assert!(found.is_none_or(|found| found.as_slice() == [2; 100]));
                newer.clear();
            }
        }
    }
}

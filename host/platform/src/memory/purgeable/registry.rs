//! All volatile memory of this process, oldest first.

use super::Block;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { next: 0, blocks: BTreeMap::new() });

struct Registry {
    next: u64,
    blocks: BTreeMap<u64, Weak<Block>>,
}

fn registry() -> MutexGuard<'static, Registry> {
    // Whole after any panic: nothing in here can panic half-way.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds volatile memory and returns its place. The block's own lock is not held by the caller.
pub(super) fn add(block: &Arc<Block>) -> u64 {
    let mut registry = registry();
    let place = registry.next;
    registry.next += 1;
    registry.blocks.insert(place, Arc::downgrade(block));
    place
}

pub(super) fn remove(place: u64) {
    registry().blocks.remove(&place);
}

/// Takes volatile memory, that which was volatile for longest first, until at least this many
/// bytes are taken or there is no more. Returns the bytes taken: whole blocks.
///
/// Their owners are told when they ask for the contents. Safe to call from any thread, also
/// while owners go on.
pub fn purge(bytes: usize) -> usize {
    let mut taken = 0;
    while taken < bytes {
        // One at a time, so that neither lock waits for the other.
        let Some((_, block)) = registry().blocks.pop_first() else { break };
        taken += block.upgrade().map_or(0, |block| block.purge());
    }
    taken
}

/// Takes all volatile memory of this process and returns the bytes taken.
pub fn purge_all() -> usize {
    purge(usize::MAX)
}

/// Bytes of this process that are volatile and not known to be taken.
pub fn volatile_bytes() -> usize {
    let blocks = &registry().blocks;
    blocks.values().filter_map(Weak::upgrade).map(|block| block.memory.len()).sum()
}

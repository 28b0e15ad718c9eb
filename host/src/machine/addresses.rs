//! Guest-physical addresses for memory that comes and goes.

use std::collections::BTreeMap;

/// What addresses are handed out in: a large page, so that large pages can map memory whose
/// guest-virtual and guest-physical addresses agree below it.
pub(super) const UNIT: u64 = 2 << 20;

/// Addresses that nothing uses. All of them are multiples of [`UNIT`].
#[derive(Debug)]
pub(super) struct Addresses {
    /// Ends of free stretches by their starts; no two of them touch.
    free: BTreeMap<u64, u64>,
}

impl Addresses {
    /// The addresses `start..end`.
    pub(super) fn new(start: u64, end: u64) -> Self {
        debug_assert!(start.is_multiple_of(UNIT) && end.is_multiple_of(UNIT) && start < end);
        Self { free: BTreeMap::from([(start, end)]) }
    }

    /// The lowest free stretch of `len` bytes, a multiple of [`UNIT`].
    pub(super) fn take(&mut self, len: u64) -> Option<u64> {
        let (&start, &end) = self.free.iter().find(|(start, end)| *end - *start >= len)?;
        self.free.remove(&start);
        if start + len < end {
            self.free.insert(start + len, end);
        }
        Some(start)
    }

    /// Gives back what [`Self::take`] returned for `len`.
    pub(super) fn give(&mut self, start: u64, len: u64) {
        let (mut start, mut end) = (start, start + len);
        if let Some((&before, &touches)) = self.free.range(..start).next_back() {
            debug_assert!(touches <= start, "given back twice");
            if touches == start {
                self.free.remove(&before);
                start = before;
            }
        }
        if let Some(after) = self.free.remove(&end) {
            end = after;
        }
        self.free.insert(start, end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: u64 = 1 << 32;
    const UNITS: u64 = 64;

    proptest! {
        #[test]
        fn stretches_never_overlap_and_all_come_back(
            steps in prop::collection::vec((any::<bool>(), 1u64..20, any::<prop::sample::Index>()), 0..200)
        ) {
            let mut addresses = Addresses::new(START, START + UNITS * UNIT);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            for (take, units, which) in steps {
                let len = units * UNIT;
                if take {
                    if let Some(start) = addresses.take(len) {
                        let end = start + len;
                        prop_assert!(start >= START && end <= START + UNITS * UNIT);
                        let apart = |&(other, len): &(u64, u64)| end <= other || other + len <= start;
                        prop_assert!(taken.iter().all(apart));
                        taken.push((start, len));
                    }
                } else if !taken.is_empty() {
                    let (start, len) = taken.swap_remove(which.index(taken.len()));
                    addresses.give(start, len);
                }
            }
            for (start, len) in taken {
                addresses.give(start, len);
            }
            // In one piece again.
            prop_assert_eq!(addresses.take(UNITS * UNIT), Some(START));
            prop_assert_eq!(addresses.take(UNIT), None);
        }
    }
}

//! The parts of a program's memory that a read or a write names.

use super::errno::Result;
use super::memory::{Bytes, List, Memory};
use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;
use wrt_abi::services::wasi::Iovec;

/// Parts that one call serves. The system takes no more at once (`IOV_MAX`); the rest is for the
/// program's next call, since a call may move fewer bytes than it was asked to.
const PARTS_MAX: usize = 1024;

/// Places in a program's memory, none of them empty, all within.
#[derive(Debug)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Reads the places of an array. A place outside the memory is a fault when it is the first;
    /// otherwise those before it are served, and it is for the program's next call.
    pub(super) fn read(memory: &Memory<'_>, places: List<Iovec>) -> Result<Self> {
        places.bounded()?;
        let mut ranges = Vec::new();
        // What a call has moved is a number of 32 bits.
        let mut room = u32::MAX as usize;
        for index in 0..places.count {
            let range = match memory.read(places.first.nth(index)).and_then(|place| {
                let bytes = Bytes { at: place.buf, len: place.len };
                match memory.range(bytes) {
                    // An empty one may be anywhere.
                    _ if place.len == 0 => Ok(0..0),
                    Ok(range) => Ok(range),
                    // More than may be copied, of memory that is not there: this is what the
                    // field says.
                    Err(fault) => bytes.bounded().and(Err(fault.into())),
                }
            }) {
                Ok(range) => range,
                Err(_) if !ranges.is_empty() => break,
                Err(failed) => return Err(failed),
            };
            let len = range.len().min(room);
            if len > 0 {
                room -= len;
                ranges.push(range.start..range.start + len);
            }
            if ranges.len() == PARTS_MAX || room == 0 {
                break;
            }
        }
        Ok(Self(ranges))
    }

    /// Bytes of all places.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Range::len).sum()
    }

    /// The places that `len` bytes are in, behind the first `from`.
    pub(super) fn part(&self, from: usize, len: usize) -> Self {
        let (mut skipped, mut room) = (from, len);
        let parts = self.0.iter().map(|range| {
            let start = range.start + skipped.min(range.len());
            let part = start..range.end.min(start.saturating_add(room));
            skipped -= start - range.start;
            room -= part.len();
            part
        });
        Self(parts.filter(|part| !part.is_empty()).collect())
    }

    /// The places, to be written from.
    pub(super) fn slices<'m>(&self, memory: &'m Memory<'_>) -> Vec<IoSlice<'m>> {
        self.0.iter().map(|range| IoSlice::new(&memory.whole()[range.clone()])).collect()
    }

    /// The places, to be read into. Of places that overlap, those before the first that does are
    /// served.
    pub(super) fn slices_mut<'m>(&self, memory: &'m mut Memory<'_>) -> Vec<IoSliceMut<'m>> {
        let count = self.count_disjoint();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_unstable_by_key(|place| self.0[*place].start);
        let mut slices: Vec<Option<IoSliceMut<'m>>> = (0..count).map(|_| None).collect();
        let (mut rest, mut at) = (memory.whole_mut(), 0);
        for place in order {
            let Range { start, end } = self.0[place].clone();
            let (_, from_start) = std::mem::take(&mut rest).split_at_mut(start - at);
            let (slice, after) = from_start.split_at_mut(end - start);
            slices[place] = Some(IoSliceMut::new(slice));
            (rest, at) = (after, end);
        }
        slices.into_iter().flatten().collect()
    }

    /// The places from the first on that share no byte with one before.
    pub(super) fn disjoint(&self) -> Self {
        Self(self.0[..self.count_disjoint()].to_vec())
    }

    fn count_disjoint(&self) -> usize {
        if self.0.len() < 2 {
            return self.0.len();
        }
        let mut taken = BTreeMap::new();
        for (place, range) in self.0.iter().enumerate() {
            let before = taken.range(..range.end).next_back();
            if before.is_some_and(|(_, end)| *end > range.start) {
                return place;
            }
            taken.insert(range.start, range.end);
        }
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::errno::Failed;
    use super::super::memory::Place;
    use super::*;
    use proptest::prelude::*;
    use std::slice::from_ref;
    use wrt_abi::services::wasi::Errno;

    /// A memory whose `iovec`s, from 0 on, name these places; and the array of them.
    fn named(places: &[(u32, u32)], len: usize) -> (Vec<u8>, List<Iovec>) {
        let mut bytes = vec![0; len];
        let list = List { first: Place::new(0), count: places.len().try_into().unwrap() };
        let mut memory = Memory::new(&mut bytes);
        for ((buf, len), index) in places.iter().copied().zip(0..) {
            memory.write(list.first.nth(index), &Iovec { buf, len }).unwrap();
        }
        (bytes, list)
    }

    #[test]
    fn places_keep_their_order_and_empty_ones_are_left_out() {
        let (mut bytes, list) = named(&[(300, 10), (9999, 0), (100, 20), (200, 1)], 400);
        let mut memory = Memory::new(&mut bytes);
        let ranges = Ranges::read(&memory, list).unwrap();
        assert_eq!(ranges.0, [300..310, 100..120, 200..201]);
        assert_eq!(ranges.len(), 31);
        let lens = |slices: Vec<usize>| assert_eq!(slices, [10, 20, 1]);
        lens(ranges.slices(&memory).iter().map(|slice| slice.len()).collect());
        lens(ranges.slices_mut(&mut memory).iter().map(|slice| slice.len()).collect());
    }

    #[test]
    fn a_part_begins_and_ends_anywhere() {
        let ranges = Ranges(vec![300..310, 100..120, 200..201]);
        assert_eq!(ranges.part(0, 31).0, ranges.0);
        assert_eq!(ranges.part(0, 10).0, from_ref(&(300..310)));
        assert_eq!(ranges.part(9, 3).0, [309..310, 100..102]);
        assert_eq!(ranges.part(30, usize::MAX).0, from_ref(&(200..201)));
        assert_eq!(ranges.part(31, 1).0, []);
    }

    #[test]
    fn what_overlaps_is_for_the_next_call() {
        let (mut bytes, list) = named(&[(100, 50), (200, 50), (149, 2), (300, 1)], 400);
        let mut memory = Memory::new(&mut bytes);
        let ranges = Ranges::read(&memory, list).unwrap();
        assert_eq!(ranges.slices_mut(&mut memory).len(), 2);
        assert_eq!(ranges.disjoint().len(), 100);
        assert_eq!(ranges.slices(&memory).len(), 4);
    }

    #[test]
    fn a_place_outside_is_a_fault_when_it_is_the_first() {
        for place in [(390, 11), (u32::MAX, 1), (0, 401)] {
            let (mut bytes, list) = named(&[(5000, 0), place], 400);
            let refused = Ranges::read(&Memory::new(&mut bytes), list);
            assert!(matches!(refused, Err(Failed::Fault(_))), "{place:?}: {refused:?}");
            let (mut bytes, list) = named(&[(7, 3), place], 400);
            let read = Ranges::read(&Memory::new(&mut bytes), list).unwrap();
            assert_eq!(read.0, from_ref(&(7..10)));
        }
    }

    #[test]
    fn too_many_places_and_too_many_bytes_are_an_error() {
        let (mut bytes, mut list) = named(&[(0, u32::MAX)], 400);
        let refused = Ranges::read(&Memory::new(&mut bytes), list);
        assert!(matches!(refused, Err(Failed::Errno(Errno::Nomem))), "{refused:?}");
        list.count = (128 << 20) / 8 + 1;
        let refused = Ranges::read(&Memory::new(&mut bytes), list);
        assert!(matches!(refused, Err(Failed::Errno(Errno::Nomem))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn any_places_are_disjoint_and_within(
            places in prop::collection::vec((0..500u32, 0..200u32), 0..20),
            from in 0..100_usize,
            len in 0..600_usize,
        ) {
            let (mut bytes, list) = named(&places, 512);
            let mut memory = Memory::new(&mut bytes);
            if let Ok(ranges) = Ranges::read(&memory, list) {
                let mut filled = 0;
                for slice in &mut ranges.slices_mut(&mut memory) {
                    filled += slice.len();
                    slice.fill(1);
                }
                prop_assert!(filled <= 512);
                let disjoint = ranges.disjoint();
                prop_assert_eq!(disjoint.len(), filled);
                let part = disjoint.part(from, len);
                prop_assert_eq!(part.len(), filled.saturating_sub(from).min(len));
            }
        }
    }
}

//! The parts of a program's memory that a read or a write names.

use super::{Arguments, Failed, low};
use std::io::{IoSlice, IoSliceMut};
use std::ops::Range;
use wasmtime_wasi::p1::types;
use wiggle::{GuestMemory, GuestPtr};

/// Parts that one call serves. The system takes no more at once (`IOV_MAX`); the rest is for the
/// program's next call, since a call may move fewer bytes than it was asked to.
const PARTS_MAX: usize = 1024;

/// Parts, empty ones included, that a call may name. More are not looked through.
const NAMED_MAX: u32 = 1 << 20;

/// Places in a program's memory, none of them empty, all within.
#[derive(Debug)]
pub(super) struct Ranges(Vec<Range<usize>>);

impl Ranges {
    /// Reads the places that the arguments of `fd_read` or `fd_write` name.
    pub(super) fn read(memory: &mut [u8], arguments: &Arguments) -> Result<Self, Failed> {
        let (first, count) = (low(arguments[1]), low(arguments[2]));
        if count > NAMED_MAX {
            return Err(Failed::Errno(types::Errno::Inval));
        }
        let len = memory.len();
        let memory = GuestMemory::Unshared(memory);
        let mut ranges = Vec::new();
        // What a call has moved is a number of 32 bits.
        let mut room = u32::MAX as usize;
        // An `iovec` and a `ciovec` have one layout.
        for place in GuestPtr::<types::Iovec>::new(first).as_array(count).iter() {
            let types::Iovec { buf, buf_len } = memory.read(place?)?;
            let start = buf.offset() as usize;
            let end = start.checked_add(buf_len as usize).filter(|end| *end <= len);
            match end {
                Some(end) if end > start => {
                    let part = (end - start).min(room);
                    room -= part;
                    ranges.push(start..start + part);
                }
                Some(_) => {}
                // For the error that everything else has.
                None => return Err(outside(&memory, buf.as_array(buf_len))),
            }
            if ranges.len() == PARTS_MAX || room == 0 {
                break;
            }
        }
        Ok(Self(ranges))
    }

    /// The places, to be written from.
    pub(super) fn slices<'m>(&self, memory: &'m [u8]) -> Vec<IoSlice<'m>> {
        self.0.iter().map(|range| IoSlice::new(&memory[range.clone()])).collect()
    }

    /// The places, to be read into. Of places that overlap, those before the first that does are
    /// served.
    pub(super) fn slices_mut<'m>(&self, memory: &'m mut [u8]) -> Vec<IoSliceMut<'m>> {
        let count = self.count_disjoint();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_unstable_by_key(|place| self.0[*place].start);
        let mut slices: Vec<Option<IoSliceMut<'m>>> = (0..count).map(|_| None).collect();
        let (mut rest, mut at) = (memory, 0);
        for place in order {
            let Range { start, end } = self.0[place].clone();
            let (_, from_start) = std::mem::take(&mut rest).split_at_mut(start - at);
            let (slice, after) = from_start.split_at_mut(end - start);
            slices[place] = Some(IoSliceMut::new(slice));
            (rest, at) = (after, end);
        }
        slices.into_iter().flatten().collect()
    }

    /// How many places, from the first on, share no byte with one before.
    fn count_disjoint(&self) -> usize {
        let mut taken = std::collections::BTreeMap::new();
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

/// The error of a place outside memory.
fn outside(memory: &GuestMemory<'_>, place: GuestPtr<[u8]>) -> Failed {
    match memory.as_slice(place) {
        Err(error) => error.into(),
        // It is outside; were it not, it would be empty.
        Ok(_) => Failed::Errno(types::Errno::Fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A memory whose `iovec`s, from 0 on, name these places; and the arguments of the call.
    fn named(places: &[(u32, u32)], len: usize) -> (Vec<u8>, Arguments) {
        let mut memory = vec![0; len];
        for (number, (start, size)) in places.iter().enumerate() {
            memory[number * 8..][..4].copy_from_slice(&start.to_le_bytes());
            memory[number * 8 + 4..][..4].copy_from_slice(&size.to_le_bytes());
        }
        let mut arguments = Arguments::default();
        arguments[2] = places.len() as u64;
        (memory, arguments)
    }

    #[test]
    fn places_keep_their_order_and_empty_ones_are_left_out() {
        let (mut memory, arguments) = named(&[(300, 10), (0, 0), (100, 20), (200, 1)], 400);
        let ranges = Ranges::read(&mut memory, &arguments).unwrap();
        assert_eq!(ranges.0, [300..310, 100..120, 200..201]);
        let lens = |slices: Vec<usize>| assert_eq!(slices, [10, 20, 1]);
        lens(ranges.slices(&memory).iter().map(|slice| slice.len()).collect());
        lens(ranges.slices_mut(&mut memory).iter().map(|slice| slice.len()).collect());
    }

    #[test]
    fn what_overlaps_is_for_the_next_call() {
        let (mut memory, arguments) = named(&[(100, 50), (200, 50), (149, 2), (300, 1)], 400);
        let ranges = Ranges::read(&mut memory, &arguments).unwrap();
        assert_eq!(ranges.slices_mut(&mut memory).len(), 2);
        assert_eq!(ranges.slices(&memory).len(), 4);
    }

    #[test]
    fn a_place_outside_is_a_trap_and_too_many_are_an_error() {
        for place in [(390, 11), (u32::MAX, 1), (0, u32::MAX)] {
            let (mut memory, arguments) = named(&[place], 400);
            let refused = Ranges::read(&mut memory, &arguments);
            assert!(matches!(refused, Err(Failed::Trap(_))), "{place:?}: {refused:?}");
        }
        let (mut memory, mut arguments) = named(&[], 400);
        arguments[2] = u64::from(NAMED_MAX) + 1;
        let refused = Ranges::read(&mut memory, &arguments);
        assert!(matches!(refused, Err(Failed::Errno(types::Errno::Inval))), "{refused:?}");
    }

    proptest! {
        #[test]
        fn any_places_are_disjoint_and_within(places in prop::collection::vec((0..500u32, 0..200u32), 0..20)) {
            let (mut memory, arguments) = named(&places, 512);
            if let Ok(ranges) = Ranges::read(&mut memory, &arguments) {
                let mut bytes = 0;
                for slice in &mut ranges.slices_mut(&mut memory) {
                    bytes += slice.len();
                    slice.fill(1);
                }
                prop_assert!(bytes <= 512);
            }
        }
    }
}

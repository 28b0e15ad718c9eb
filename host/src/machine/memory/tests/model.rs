//! Random sequences of what a guest and its machine may ask for, against a simple model.

use super::*;
use proptest::prelude::*;
use proptest::sample::Index;

/// One request. An [`Index`] picks one of the regions that live.
#[derive(Clone, Debug)]
enum Step {
    Reserve(u64),
    Commit(Index, u64),
    CommitHeap(u64),
    Release(Index),
    Share(u64),
    Unshare(Index),
    Slice(Index, u64, u64),
    /// What a hostile guest would name.
    Wild(u64, u64),
    Reset,
    /// Keep the guest.
    Prepare,
    /// Go on from the one that was kept last, here or in another VM.
    GoOn {
        elsewhere: bool,
    },
}

fn size() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1..100_000u64,
        100_000..5 * MIB,
        (0..20u64).prop_map(|units| units * GRANULE),
        (0..8u64).prop_map(|units| units * 2 * MIB),
        0..2 * LIMIT,
    ]
}

/// Addresses in and near all that there can be.
fn wild() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        (0..REGION_COUNT + 2, -5i64..5).prop_map(|(region, by)| {
            (REGION_BASE + region * REGION_STRIDE).wrapping_add_signed(by * 4096)
        }),
        (HEAP_BASE - MIB..HEAP_BASE + MIB),
        (0..HEAP_BASE),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => size().prop_map(Step::Reserve),
        4 => (any::<Index>(), size()).prop_map(|(which, len)| Step::Commit(which, len)),
        2 => size().prop_map(Step::CommitHeap),
        4 => any::<Index>().prop_map(Step::Release),
        2 => (1..5 * MIB).prop_map(Step::Share),
        2 => any::<Index>().prop_map(Step::Unshare),
        4 => (any::<Index>(), size(), size()).prop_map(|(which, at, len)| Step::Slice(which, at, len)),
        4 => (wild(), prop_oneof![size(), any::<u64>()]).prop_map(|(at, len)| Step::Wild(at, len)),
        1 => Just(Step::Reset),
        2 => Just(Step::Prepare),
        2 => any::<bool>().prop_map(|elsewhere| Step::GoOn { elsewhere }),
    ]
}

/// A region as its user knows it.
#[derive(Clone, Copy, Debug)]
struct Known {
    gva: Gva,
    usable: u64,
    shared: bool,
    /// What its first and last usable bytes hold.
    mark: u8,
}

/// The model: what was granted.
#[derive(Default)]
struct Model {
    regions: Vec<Known>,
    marks: u8,
    kept: Option<Kept>,
}

/// A guest that was kept, and what is known of it.
struct Kept {
    prepared: Prepared,
    regions: Vec<Known>,
    /// Bytes of the heap, and what the first holds.
    heap: (u64, u8),
}

impl Model {
    fn pick(&self, which: Index) -> Option<usize> {
        (!self.regions.is_empty()).then(|| which.index(self.regions.len()))
    }

    fn apply(&mut self, f: &mut Fixture, step: &Step) {
        match *step {
            Step::Reserve(len) => self.reserve(f, len),
            Step::Commit(which, len) => {
                if let Some(index) = self.pick(which) {
                    self.commit(f, index, len);
                }
            }
            Step::CommitHeap(len) => {
                let before = f.memory.heap.mapped;
                match f.memory.commit(&mut f.vm, Gva(HEAP_BASE), len, u64::MAX) {
                    Ok(usable) => assert!(usable >= len && usable >= before),
                    Err(_) => assert_eq!(f.memory.heap.mapped, before),
                }
            }
            Step::Release(which) => self.take_away(f, which, GuestMemory::release, false),
            Step::Unshare(which) => self.take_away(f, which, GuestMemory::unshare, true),
            Step::Share(len) => {
                let gva = f.share(len);
                self.regions.push(Known { gva, usable: 0, shared: true, mark: 0 });
            }
            Step::Slice(which, at, len) => {
                if let Some(index) = self.pick(which) {
                    let Known { gva, usable, shared, .. } = self.regions[index];
                    let inside = at.checked_add(len).is_some_and(|end| end <= usable) && !shared;
                    let slice = f.memory.slice(Gva(gva.0 + at), len);
                    match slice {
                        Ok(bytes) => assert!(bytes.len() as u64 == len && (inside || len == 0)),
                        Err(_) => assert!(!inside),
                    }
                }
            }
            Step::Wild(gva, len) => self.wild(f, Gva(gva), len),
            Step::Reset => {
                f.memory.reset(&mut f.vm, f.image, None).unwrap();
                for known in self.regions.drain(..) {
                    assert!(f.translate(known.gva.0).is_none());
                }
            }
            Step::Prepare => {
                self.marks = self.marks.wrapping_add(1);
                f.memory.slice(Gva(HEAP_BASE), 1).unwrap()[0] = self.marks;
                let prepared = f.memory.prepare(f.image).unwrap();
                let heap = (f.memory.heap.mapped, self.marks);
                self.kept = Some(Kept { prepared, regions: self.regions.clone(), heap });
            }
            Step::GoOn { elsewhere } => {
                let Some(kept) = &self.kept else { return };
                match elsewhere {
                    true => *f = f.another(&kept.prepared),
                    false => f.memory.reset(&mut f.vm, f.image, Some(&kept.prepared)).unwrap(),
                }
                self.regions.clone_from(&kept.regions);
                let usable = self.regions.iter().map(|known| known.usable).sum::<u64>();
                let (heap, first) = kept.heap;
                assert_eq!((f.memory.heap.mapped, f.memory.usage().0), (heap, usable + heap));
                assert_eq!(f.memory.slice(Gva(HEAP_BASE), 1).unwrap()[0], first);
                // What is written here does not show in what was kept.
                f.memory.slice(Gva(HEAP_BASE), 1).unwrap()[0] = first.wrapping_add(1);
            }
        }
    }

    fn reserve(&mut self, f: &mut Fixture, len: u64) {
        let before = f.memory.usage().0;
        match f.memory.reserve(&mut f.vm, len) {
            Ok(gva) => {
                let usable = f.memory.usage().0 - before;
                assert!(usable >= len && usable - len <= GRANULE, "{len} asked, {usable} got");
                let apart = |known: &Known| known.gva.0.abs_diff(gva.0) >= REGION_STRIDE;
                assert!(self.regions.iter().all(apart), "{gva} is near another region");
                if usable > 0 {
                    let ends = [f.memory.slice(gva, usable).unwrap()[0], last(f, gva, usable)];
                    assert_eq!(ends, [0, 0], "new memory is zero");
                }
                self.regions.push(Known { gva, usable, shared: false, mark: 0 });
                self.mark(f, self.regions.len() - 1);
            }
            Err(_) => {
                let whole = len.next_multiple_of(GRANULE);
                assert!(before + whole > LIMIT, "{len} refused with {before} in use");
            }
        }
    }

    fn commit(&mut self, f: &mut Fixture, index: usize, len: u64) {
        let before = f.memory.usage().0;
        let Known { gva, usable: old, shared, .. } = self.regions[index];
        // Half of the requests want what follows to fault.
        let most = if len.is_multiple_of(2) { len } else { u64::MAX };
        match f.memory.commit(&mut f.vm, gva, len, most) {
            Ok(usable) => {
                assert!(!shared && usable >= len && usable >= old);
                assert!(usable <= old.max(most.checked_next_multiple_of(GRANULE).unwrap_or(most)));
                assert!(f.translate(gva.0 + usable).is_none(), "what follows faults");
                assert_eq!(f.memory.usage().0 - before, usable - old);
                if usable > old {
                    let first_new = f.memory.slice(Gva(gva.0 + old), 1).unwrap()[0];
                    assert_eq!([first_new, last(f, gva, usable)], [0, 0], "new memory is zero");
                }
                self.check_marks(f);
                self.regions[index].usable = usable;
                self.mark(f, index);
            }
            Err(_) => {
                assert_eq!(f.memory.usage().0, before);
                let whole = len.next_multiple_of(GRANULE);
                assert!(shared || before + whole.saturating_sub(old) > LIMIT);
            }
        }
    }

    /// Releases or unshares a region, whichever `how` is; the other kind must be refused.
    fn take_away(
        &mut self,
        f: &mut Fixture,
        which: Index,
        how: fn(&mut GuestMemory, &mut dyn Vm, Gva) -> Result<(), MemoryRefused>,
        of_shared: bool,
    ) {
        let Some(index) = self.pick(which) else { return };
        let known = self.regions[index];
        let result = how(&mut f.memory, &mut f.vm, known.gva);
        assert_eq!(result.is_ok(), known.shared == of_shared);
        if result.is_ok() {
            self.regions.swap_remove(index);
            assert!(f.translate(known.gva.0).is_none(), "it is unmapped");
            assert!(f.memory.slice(known.gva, 1).is_err(), "and gone");
            assert!(how(&mut f.memory, &mut f.vm, known.gva).is_err(), "once and for all");
        }
    }

    fn wild(&mut self, f: &mut Fixture, gva: Gva, len: u64) {
        if self.regions.iter().any(|known| known.gva == gva) || gva.0 == HEAP_BASE {
            return;
        }
        assert!(
            f.memory.commit(&mut f.vm, gva, len, u64::MAX).is_err(),
            "{gva} was never given out"
        );
        assert!(f.memory.release(&mut f.vm, gva).is_err());
        let within = |start: u64, usable: u64| {
            let end = gva.0.checked_add(len);
            gva.0 >= start && end.is_some_and(|end| end <= start + usable)
        };
        let heap = within(HEAP_BASE, f.memory.heap.mapped);
        let inside = self.regions.iter().any(|r| !r.shared && within(r.gva.0, r.usable));
        assert_eq!(f.memory.slice(gva, len).is_ok(), len == 0 || heap || inside, "{gva} {len:#x}");
    }

    /// Leaves new marks in a region.
    fn mark(&mut self, f: &mut Fixture, index: usize) {
        self.marks = self.marks.wrapping_add(1).max(1);
        let Known { gva, usable, .. } = self.regions[index];
        let bytes = f.memory.slice(gva, usable).unwrap();
        if let [first, .., last] = bytes {
            (*first, *last) = (self.marks, self.marks);
        }
        self.regions[index].mark = self.marks;
    }

    /// All marks are where they were left, as the guest would see them.
    fn check_marks(&self, f: &Fixture) {
        for known in self.regions.iter().filter(|known| known.usable > 0) {
            for at in [0, known.usable - 1] {
                let gpa = f.translate(known.gva.0 + at).unwrap().gpa;
                let seen = host_bytes(f.vm.mapping_at(gpa).unwrap(), gpa, 1);
                assert_eq!(seen, [known.mark], "{} + {at:#x}", known.gva);
            }
        }
    }
}

fn last(f: &mut Fixture, gva: Gva, usable: u64) -> u8 {
    f.memory.slice(Gva(gva.0 + usable - 1), 1).unwrap()[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_sequence_of_requests_keeps_to_the_rules(
        steps in prop::collection::vec(step(), 1..60),
        form in prop::sample::select(&Form::ALL[..]),
    ) {
        let mut f = Fixture::of(form);
        let mut model = Model::default();
        for step in &steps {
            model.apply(&mut f, step);
            f.check();
            model.check_marks(&f);
        }
    }
}

//! What a process has one of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A page of the second stage, in bytes: `PAGE_SIZE`.
pub(crate) const PAGE: u64 = 0x4000;

/// The VM.
pub(crate) struct Vm {
    pub(crate) memory: Memory,
    pub(crate) ipa_bits: u32,
}

/// A stretch of guest-physical memory with one origin and one set of rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) len: u64,
    pub(crate) host: usize,
    pub(crate) flags: u64,
}

/// Guest-physical memory, by address; stretches do not overlap.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) stretches: BTreeMap<u64, Stretch>,
    /// Changes with every change.
    pub(crate) generation: u64,
}

impl Memory {
    /// Adds a stretch, unless a page of it is there.
    pub(crate) fn add(&mut self, ipa: u64, stretch: Stretch) -> bool {
        let below = self.stretches.range(..ipa + stretch.len).next_back();
        if below.is_some_and(|(&start, other)| start + other.len > ipa) {
            return false;
        }
        self.stretches.insert(ipa, stretch);
        self.generation += 1;
        true
    }

    /// Replaces the pages of a range, each by what `change` makes of it; all must be there.
    pub(crate) fn change(
        &mut self,
        ipa: u64,
        len: u64,
        change: impl Fn(Stretch) -> Option<Stretch>,
    ) -> bool {
        let end = ipa + len;
        let inside: Vec<(u64, Stretch)> = self
            .stretches
            .range(..end)
            .filter(|(start, stretch)| **start + stretch.len > ipa)
            .map(|(start, stretch)| (*start, *stretch))
            .collect();
        let covered: u64 =
            inside.iter().map(|(start, s)| (start + s.len).min(end) - (*start).max(ipa)).sum();
        if covered != len {
            return false;
        }
        for (start, stretch) in inside {
            self.stretches.remove(&start);
            let (from, to) = (start.max(ipa), (start + stretch.len).min(end));
            let part = |from: u64, to: u64| Stretch {
                len: to - from,
                host: stretch.host + (from - start) as usize,
                ..stretch
            };
            for (from, to, kept) in [
                (start, from, Some(part(start, from))),
                (from, to, change(part(from, to))),
                (to, start + stretch.len, Some(part(to, start + stretch.len))),
            ] {
                if let Some(kept) = kept.filter(|_| from < to) {
                    self.stretches.insert(from, kept);
                }
            }
        }
        self.generation += 1;
        true
    }
}

/// What other threads may do to a vCPU.
#[derive(Default)]
pub(crate) struct Control {
    /// The next or the current entry is to return at once.
    pub(crate) cancel: AtomicBool,
    pub(crate) running: AtomicBool,
    /// Unicorn's handle, to stop it.
    pub(crate) engine: AtomicUsize,
}

static VM: Mutex<Option<Vm>> = Mutex::new(None);
static VCPUS: Mutex<BTreeMap<u64, Arc<Control>>> = Mutex::new(BTreeMap::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The VM, if there is one.
pub(crate) fn vm() -> MutexGuard<'static, Option<Vm>> {
    lock(&VM)
}

/// The vCPUs of the VM.
pub(crate) fn vcpus() -> MutexGuard<'static, BTreeMap<u64, Arc<Control>>> {
    lock(&VCPUS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(pages: u64, host: usize, flags: u64) -> Stretch {
        Stretch { len: pages * PAGE, host, flags }
    }

    #[test]
    fn changing_the_middle_leaves_the_ends() {
        let mut memory = Memory::default();
        assert!(memory.add(0, stretch(4, 0x10_0000, 3)));
        assert!(!memory.add(3 * PAGE, stretch(2, 0, 1)), "a page twice");
        assert!(memory.change(PAGE, 2 * PAGE, |s| Some(Stretch { flags: 1, ..s })));
        let found: Vec<_> =
            memory.stretches.iter().map(|(at, s)| (*at, s.len, s.host, s.flags)).collect();
        let host = 0x10_0000;
        let page = PAGE as usize;
        assert_eq!(
            found,
            [
                (0, PAGE, host, 3),
                (PAGE, 2 * PAGE, host + page, 1),
                (3 * PAGE, PAGE, host + 3 * page, 3)
            ]
        );
        assert!(memory.change(0, 4 * PAGE, |_| None));
        assert!(memory.stretches.is_empty());
        assert!(!memory.change(0, PAGE, |_| None), "nothing there");
    }
}

//! Purgeable memory: kept or told, never silent garbage.

use std::sync::{Mutex, MutexGuard, PoisonError};
use wrt_platform::memory::{
    AllocError, AllocatorBuilder, Contents, Purgeable, PurgeableState, page_size, purge, purge_all,
    volatile_bytes,
};

/// The registry is the process's: these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Memory whose every byte depends on its place.
fn filled(pages: usize) -> Purgeable {
    let allocator = AllocatorBuilder::new().with_purgeable_behavior(true).build().unwrap();
    let mut memory = allocator.allocate_purgeable(pages).unwrap();
    for (at, byte) in memory.bytes_mut().unwrap().iter_mut().enumerate() {
        *byte = pattern(at);
    }
    memory
}

fn pattern(at: usize) -> u8 {
    u8::try_from(at % 251).unwrap()
}

fn intact(memory: &Purgeable) -> bool {
    memory.bytes().unwrap().iter().enumerate().all(|(at, byte)| *byte == pattern(at))
}

fn zero(memory: &Purgeable) -> bool {
    memory.bytes().unwrap().iter().all(|byte| *byte == 0)
}

#[test]
fn contents_are_kept_or_the_owner_is_told() {
    let _turn = turn();
    let mut memory = filled(16);
    for _ in 0..3 {
        memory.make_volatile().unwrap();
        assert_eq!(memory.state(), PurgeableState::Volatile);
        match memory.make_non_volatile().unwrap() {
            Contents::Kept => assert!(intact(&memory)),
            // The system may.
            Contents::Purged => return assert!(zero(&memory)),
        }
    }
}

#[test]
fn volatile_bytes_cannot_be_reached() {
    let _turn = turn();
    let mut memory = filled(1);
    memory.make_volatile().unwrap();
    assert!(matches!(memory.bytes(), Err(AllocError::Volatile)));
    assert!(matches!(memory.bytes_mut(), Err(AllocError::Volatile)));
}

#[test]
fn what_is_purged_is_told_and_zero() {
    let _turn = turn();
    let (mut volatile, used) = (filled(4), filled(4));
    volatile.make_volatile().unwrap();
    assert_eq!(purge_all(), 4 * page_size());
    assert_eq!(volatile.state(), PurgeableState::Empty);
    assert!(matches!(volatile.bytes(), Err(AllocError::Volatile)));
    assert!(volatile.set_state(PurgeableState::NonVolatile).unwrap(), "told");
    assert!(zero(&volatile), "nothing is left of it");
    assert!(intact(&used), "what is in use is left alone");
    volatile.bytes_mut().unwrap().fill(3);
    volatile.make_volatile().unwrap();
    if volatile.make_non_volatile().unwrap() == Contents::Kept {
        assert!(volatile.bytes().unwrap().iter().all(|byte| *byte == 3), "used again");
    }
}

#[test]
fn the_oldest_goes_first() {
    let _turn = turn();
    let mut blocks: Vec<_> = (0..4).map(|_| filled(2)).collect();
    for at in [2, 0, 3] {
        blocks[at].make_volatile().unwrap();
    }
    assert_eq!(volatile_bytes(), 6 * page_size());
    assert_eq!(purge(3 * page_size()), 4 * page_size(), "whole blocks, no more than it takes");
    let states: Vec<_> = blocks.iter().map(Purgeable::state).collect();
    use PurgeableState::{Empty, NonVolatile, Volatile};
    assert_eq!(states, [Empty, NonVolatile, Empty, Volatile]);
    drop(blocks);
    assert_eq!(volatile_bytes(), 0);
    assert_eq!(purge_all(), 0);
}

#[test]
fn owners_and_the_purger_do_not_disturb_each_other() {
    let _turn = turn();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let owners: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut memory, mut lost) = (filled(8), 0);
                    for _ in 0..500 {
                        memory.make_volatile().unwrap();
                        std::thread::yield_now();
                        if memory.make_non_volatile().unwrap() == Contents::Purged {
                            assert!(zero(&memory));
                            lost += 1;
                            for (at, byte) in memory.bytes_mut().unwrap().iter_mut().enumerate() {
                                *byte = pattern(at);
                            }
                        }
                        assert!(intact(&memory));
                    }
                    lost
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                purge(1);
            }
        });
        let lost: usize = owners.into_iter().map(|owner| owner.join().unwrap()).sum();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(lost > 0, "the purger took something");
    });
}

/// The kernel itself takes lazily freed pages, when it is told to reclaim them.
#[cfg(target_os = "linux")]
#[test]
fn what_the_kernel_takes_is_found_out() {
    let _turn = turn();
    let (page, mut told) = (page_size(), 0);
    for taken in [1, 8] {
        let mut memory = filled(8);
        memory.make_volatile().unwrap();
        // SAFETY: madvise(2) MADV_PAGEOUT of volatile memory of the test's.
        let result = unsafe {
            let start = memory.base().as_ptr().wrapping_add((8 - taken) * page);
            libc::madvise(start.cast(), taken * page, libc::MADV_PAGEOUT)
        };
        if result != 0 {
            return eprintln!("skipped: the kernel has no MADV_PAGEOUT");
        }
        match memory.make_non_volatile().unwrap() {
            Contents::Kept => assert!(intact(&memory)),
            Contents::Purged => {
                told += 1;
                assert!(zero(&memory), "{taken} of 8 pages were taken, so all are gone");
            }
        }
    }
    if told == 0 {
        eprintln!("skipped: the kernel took no page");
    }
}

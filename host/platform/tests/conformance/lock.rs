//! Locks: exclusion, wake-ups, fairness, options.

use crate::{LONG, ends};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use wrt_platform::lock::{FairLock, LockBuilder, LockError, SpinPolicy, UnfairLock};

const THREADS: usize = 4;
const ROUNDS: usize = 40_000;

/// Two numbers that are equal whenever nobody is between them.
#[derive(Default)]
struct Pair(usize, usize);

impl Pair {
    fn step(&mut self) {
        assert_eq!(self.0, self.1, "somebody else is in here");
        self.0 += 1;
        if self.0.is_multiple_of(256) {
            // So that others find the lock held.
            thread::yield_now();
        }
        self.1 += 1;
    }
}

fn everyone(work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..ROUNDS).for_each(|_| work()));
        }
    });
}

/// Each way to build a lock.
fn builders() -> Vec<LockBuilder> {
    let policies = [SpinPolicy::None, SpinPolicy::Fixed(20), SpinPolicy::Adaptive];
    let both = policies.into_iter().flat_map(|policy| {
        let builder = LockBuilder::new().with_spin_policy(policy);
        [builder.with_priority_inheritance(false), builder.with_priority_inheritance(true)]
    });
    both.collect()
}

#[test]
fn one_at_a_time_and_nobody_sleeps_for_ever() {
    ends(one_at_a_time);
}

fn one_at_a_time() {
    for builder in builders() {
        let lock = match builder.build(Pair::default()) {
            Ok(lock) => lock,
            Err(error @ LockError::Unsupported(_)) => {
                eprintln!("skipped: {error}");
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        everyone(|| lock.lock().step());
        assert_eq!(lock.into_inner().1, THREADS * ROUNDS, "{builder:?}");
    }
}

#[test]
fn a_fair_lock_excludes_too() {
    ends(one_at_a_time_in_order);
}

fn one_at_a_time_in_order() {
    for builder in builders() {
        match builder.build_fair(Pair::default()) {
            Ok(lock) => {
                everyone(|| lock.lock().step());
                assert_eq!(lock.waiting(), 0);
                assert_eq!(lock.into_inner().1, THREADS * ROUNDS, "{builder:?}");
            }
            Err(error) => assert!(error.to_string().contains("not supported"), "{error}"),
        }
    }
    let inheriting = LockBuilder::new().with_priority_inheritance(true);
    assert!(matches!(inheriting.build_fair(0), Err(LockError::Unsupported(_))));
}

#[test]
fn a_fair_lock_goes_round_in_order() {
    let lock = FairLock::new(Vec::new());
    let held = lock.lock();
    thread::scope(|scope| {
        for number in 0..5 {
            let lock = &lock;
            scope.spawn(move || lock.lock().push(number));
            while lock.waiting() <= number {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert!(lock.try_lock().is_none());
        drop(held);
    });
    assert_eq!(lock.into_inner(), [0, 1, 2, 3, 4]);
}

#[test]
fn who_gives_a_fair_lock_back_cannot_take_it_before_those_who_wait() {
    let lock = FairLock::new(0);
    thread::scope(|scope| {
        let held = lock.lock();
        scope.spawn(|| *lock.lock() = 1);
        while lock.waiting() == 0 {
            thread::sleep(Duration::from_millis(1));
        }
        drop(held);
        assert_eq!(*lock.lock(), 1, "the other thread had it in between");
    });
}

#[test]
fn a_held_lock_is_not_taken() {
    static LOCK: UnfairLock<u32> = UnfairLock::new(7);
    let held = LOCK.lock();
    let other = || thread::spawn(|| LOCK.try_lock().map(|value| *value)).join().unwrap();
    assert_eq!(other(), None);
    let (said, hear) = channel();
    let waiter = thread::spawn(move || {
        let value = *LOCK.lock();
        said.send(value).unwrap();
    });
    assert!(hear.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
    drop(held);
    assert_eq!(hear.recv_timeout(LONG), Ok(7));
    waiter.join().unwrap();
    assert_eq!(other(), Some(7));
}

#[test]
fn a_panic_gives_the_lock_back() {
    for inherit in [false, true] {
        let builder = LockBuilder::new().with_priority_inheritance(inherit);
        let Ok(lock) = builder.build(1) else {
            eprintln!("skipped: no priority inheritance here");
            continue;
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            *lock.lock() = 2;
            let _held = lock.lock();
            panic!("while it is held");
        }));
        assert!(panicked.is_err());
        assert_eq!(lock.try_lock().map(|value| *value), Some(2));
    }
}

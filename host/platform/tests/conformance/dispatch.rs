//! Dispatch: order, barriers, groups, semaphores, panics, deadlocks, how many threads.

use crate::{LONG, ends};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use wrt_platform::dispatch::{DispatchError, Group, QosClass, Queue, Semaphore, THREADS_MAX};

fn serial(label: &str) -> Queue {
    Queue::create(label).build().unwrap()
}

fn concurrent(label: &str) -> Queue {
    Queue::create(label).with_concurrent(true).build().unwrap()
}

/// Counts how many are in at a time, and the most that ever were.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn visit<R>(&self, what: impl FnOnce() -> R) -> R {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let result = what();
        self.now.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

fn meet(others: &Barrier) {
    others.wait();
}

#[test]
fn a_serial_queue_keeps_the_order_and_runs_one_at_a_time() {
    let (queue, group) = (serial("order"), Group::new());
    let (seen, crowd) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Crowd::default()));
    for number in 0..1000 {
        let (seen, crowd) = (Arc::clone(&seen), Arc::clone(&crowd));
        let job = move || crowd.visit(|| seen.lock().unwrap().push(number));
        group.exec_async(&queue, job).unwrap();
    }
    assert!(group.wait_timeout(LONG));
    assert_eq!(*seen.lock().unwrap(), (0..1000).collect::<Vec<_>>());
    assert_eq!(crowd.most(), 1);
}

#[test]
fn jobs_of_a_concurrent_queue_meet() {
    let (queue, meeting) = (concurrent("meet"), Arc::new(Barrier::new(2)));
    let group = Group::new();
    for _ in 0..2 {
        let meeting = Arc::clone(&meeting);
        group.exec_async(&queue, move || meet(&meeting)).unwrap();
    }
    assert!(group.wait_timeout(LONG), "each waits for the other");
}

#[test]
fn a_barrier_runs_alone_and_in_its_place() {
    let (queue, group) = (concurrent("barrier"), Group::new());
    let crowd = Arc::new(Crowd::default());
    let (before, alone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    for round in 1..=20 {
        for _ in 0..5 {
            let (crowd, before) = (Arc::clone(&crowd), Arc::clone(&before));
            let job = move || {
                crowd.visit(|| {
                    thread::sleep(Duration::from_micros(200));
                    before.fetch_add(1, Ordering::SeqCst)
                });
            };
            group.exec_async(&queue, job).unwrap();
        }
        let entry = group.entry();
        let (crowd, before, alone) = (Arc::clone(&crowd), Arc::clone(&before), Arc::clone(&alone));
        let barrier = move || {
            let (done, others) = (before.load(Ordering::SeqCst), crowd.now.load(Ordering::SeqCst));
            if done != 5 * round || others != 0 {
                alone.store(false, Ordering::SeqCst);
            }
            drop(entry);
        };
        queue.barrier_async(barrier).unwrap();
    }
    assert!(group.wait_timeout(LONG));
    assert!(alone.load(Ordering::SeqCst), "all before it were done, and none behind it began");
    assert!(crowd.most() > 1, "the others ran side by side");
    queue.barrier_sync(|| assert_eq!(crowd.now.load(Ordering::SeqCst), 0)).unwrap();
}

#[test]
fn exec_sync_waits_its_turn_and_returns() {
    let (queue, mut local) = (serial("sync"), 0);
    let (go, gate) = sync_channel::<()>(1);
    let (said, hear) = channel();
    let first = said.clone();
    queue
        .exec_async(move || {
            gate.recv().unwrap();
            first.send(1).unwrap();
        })
        .unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            go.send(()).unwrap();
        });
        let result = queue.exec_sync(|| {
            local += 1;
            said.send(2).unwrap();
            "done"
        });
        assert_eq!(result.unwrap(), "done");
    });
    assert_eq!((local, hear.recv().unwrap(), hear.recv().unwrap()), (1, 1, 2));
}

#[test]
fn waiting_for_oneself_is_an_error() {
    ends(wait_for_oneself);
}

fn wait_for_oneself() {
    let queue = serial("itself");
    let inner = queue.clone();
    let nested = queue.exec_sync(move || inner.exec_sync(|| ())).unwrap();
    assert!(matches!(nested, Err(DispatchError::Deadlock(label)) if label == "itself"));

    let (other, inner) = (serial("other"), queue.clone());
    let through = queue.exec_sync(|| other.exec_sync(|| inner.exec_sync(|| ()))).unwrap().unwrap();
    assert!(matches!(through, Err(DispatchError::Deadlock(_))), "by way of another queue");

    let (queue, (said, hear)) = (concurrent("crowd"), channel());
    let inner = queue.clone();
    queue
        .exec_async(move || {
            said.send((inner.exec_sync(|| 5).unwrap(), inner.barrier_sync(|| ()).is_err())).unwrap()
        })
        .unwrap();
    assert_eq!(hear.recv_timeout(LONG).unwrap(), (5, true));
    let inner = queue.clone();
    let nested = queue.barrier_sync(move || inner.exec_sync(|| ())).unwrap();
    assert!(matches!(nested, Err(DispatchError::Deadlock(_))));
    assert!(queue.barrier_sync(|| queue.apply(1, |_| ())).unwrap().is_err());
}

#[test]
fn a_panic_is_its_jobs_own() {
    ends(panic_in_jobs);
}

fn panic_in_jobs() {
    let (queue, group) = (serial("panic"), Group::new());
    for number in 0..20 {
        group.exec_async(&queue, move || assert!(number % 2 == 0, "odd")).unwrap();
    }
    assert!(group.wait_timeout(LONG), "the group was left by those that panicked, too");
    assert_eq!(queue.exec_sync(|| 1).unwrap(), 1, "the queue goes on");
    assert_eq!(queue.panics(), 10);
    match queue.exec_sync(|| panic!("number {}", 7)) {
        Err(DispatchError::Panicked(message)) => assert_eq!(message, "number 7"),
        other => panic!("{:?}", other.is_ok()),
    }
    let queue = concurrent("panic");
    let ran = AtomicUsize::new(0);
    let applied = queue.apply(50, |number| {
        ran.fetch_add(1, Ordering::SeqCst);
        assert!(number != 9, "nine");
    });
    assert!(matches!(applied, Err(DispatchError::Panicked(message)) if message == "nine"));
    assert_eq!(ran.into_inner(), 50);
    queue.exec_sync(|| ()).unwrap();
}

#[test]
fn apply_runs_each_number_once() {
    for queue in [concurrent("apply"), serial("apply"), Queue::global(QosClass::Utility)] {
        let counts: Vec<_> = (0..500).map(|_| AtomicUsize::new(0)).collect();
        queue
            .apply(counts.len(), |number| {
                counts[number].fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{queue:?}");
        queue.apply(0, |_| unreachable!()).unwrap();
    }
    let order = Mutex::new(Vec::new());
    serial("order").apply(50, |number| order.lock().unwrap().push(number)).unwrap();
    assert_eq!(order.into_inner().unwrap(), (0..50).collect::<Vec<_>>());
    // From within, with a barrier behind.
    let (queue, (said, hear)) = (concurrent("within"), channel());
    let inner = queue.clone();
    queue
        .exec_async(move || {
            inner.barrier_async(|| ()).unwrap();
            inner.apply(10, |_| ()).unwrap();
            said.send(()).unwrap();
        })
        .unwrap();
    hear.recv_timeout(LONG).expect("it does not wait for the barrier that waits for it");
}

#[test]
fn a_group_tells_those_who_wait_and_those_who_asked() {
    let (queue, group) = (concurrent("group"), Group::new());
    assert!(group.wait_timeout(Duration::ZERO), "nobody is in it");
    let (said, hear) = channel();
    let now = said.clone();
    group.notify(&queue, move || now.send("now").unwrap()).unwrap();
    assert_eq!(hear.recv_timeout(LONG), Ok("now"));
    group.enter();
    group.enter();
    for _ in 0..2 {
        let later = said.clone();
        group.notify(&queue, move || later.send("later").unwrap()).unwrap();
    }
    group.leave().unwrap();
    assert!(!group.wait_timeout(Duration::from_millis(20)));
    assert!(hear.try_recv().is_err());
    group.leave().unwrap();
    assert!(group.wait_timeout(LONG));
    for _ in 0..2 {
        assert_eq!(hear.recv_timeout(LONG), Ok("later"));
    }
    assert!(matches!(group.leave(), Err(DispatchError::Unbalanced)));
    group.enter();
    drop(group);
}

#[test]
fn no_notification_is_lost() {
    let queue = concurrent("notify");
    let told = Arc::new(AtomicUsize::new(0));
    let (said, hear) = channel();
    for _ in 0..300 {
        let group = Group::new();
        for _ in 0..3 {
            group.exec_async(&queue, || ()).unwrap();
        }
        let (told, said) = (Arc::clone(&told), said.clone());
        let notice = move || {
            if told.fetch_add(1, Ordering::SeqCst) == 299 {
                said.send(()).unwrap();
            }
        };
        group.notify(&queue, notice).unwrap();
    }
    hear.recv_timeout(LONG).expect("each group told, though it may have been empty");
}

#[test]
fn a_semaphore_bounds_how_many() {
    let (queue, group) = (concurrent("semaphore"), Group::new());
    let (permits, crowd) = (Semaphore::new(3), Arc::new(Crowd::default()));
    for _ in 0..60 {
        let (permits, crowd) = (permits.clone(), Arc::clone(&crowd));
        let job = move || {
            permits.wait();
            crowd.visit(|| thread::sleep(Duration::from_millis(1)));
            permits.signal();
        };
        group.exec_async(&queue, job).unwrap();
    }
    assert!(group.wait_timeout(LONG));
    assert!((2..=3).contains(&crowd.most()), "{}", crowd.most());
    for _ in 0..3 {
        assert!(permits.try_wait());
    }
    assert!(!permits.try_wait() && !permits.wait_timeout(Duration::from_millis(5)));
    permits.signal();
    assert!(permits.wait_timeout(LONG));
    drop(permits);
}

#[test]
fn later_is_later_and_in_order() {
    let (queue, (said, hear)) = (serial("after"), channel());
    let start = Instant::now();
    for milliseconds in [60, 20, 40] {
        let said = said.clone();
        let delay = Duration::from_millis(milliseconds);
        queue.after(delay, move || said.send((milliseconds, start.elapsed())).unwrap()).unwrap();
    }
    let heard: Vec<_> = (0..3).map(|_| hear.recv_timeout(LONG).unwrap()).collect();
    let early = |(delay, after): &(u64, Duration)| *after < Duration::from_millis(*delay);
    assert!(!heard.iter().any(early), "{heard:?}");
    assert_eq!(heard.iter().map(|(delay, _)| *delay).collect::<Vec<_>>(), [20, 40, 60]);
}

#[test]
fn threads_are_shared_and_do_not_explode() {
    let (queue, group) = (concurrent("explosion"), Group::new());
    let (crowd, threads) = (Arc::new(Crowd::default()), Arc::new(Mutex::new(HashSet::new())));
    for _ in 0..1000 {
        let (crowd, threads) = (Arc::clone(&crowd), Arc::clone(&threads));
        let job = move || {
            threads.lock().unwrap().insert(thread::current().id());
            crowd.visit(|| thread::sleep(Duration::from_millis(2)));
        };
        group.exec_async(&queue, job).unwrap();
    }
    assert!(group.wait_timeout(LONG));
    let (most, threads) = (crowd.most(), threads.lock().unwrap().len());
    assert!(most <= THREADS_MAX, "{most} at a time");
    assert!(threads < 500, "{threads} threads for 1000 jobs");
}

#[test]
fn blocked_jobs_do_not_stop_the_others() {
    // More jobs than there are processors wait for one that is behind them: once for something
    // that dispatch knows of, once for something that it does not.
    let many = 4 + 2 * thread::available_parallelism().map_or(1, Into::into);
    let many = many.min(THREADS_MAX / 2);
    let (queue, group) = (concurrent("blocked"), Group::new());
    let permits = Semaphore::new(0);
    for _ in 0..many {
        let permits = permits.clone();
        group.exec_async(&queue, move || permits.wait()).unwrap();
    }
    group.exec_async(&queue, move || (0..many).for_each(|_| permits.signal())).unwrap();
    assert!(group.wait_timeout(LONG), "the last job ran though all before it wait");

    let meeting = Arc::new(Barrier::new(many));
    for _ in 0..many {
        let meeting = Arc::clone(&meeting);
        group.exec_async(&queue, move || meet(&meeting)).unwrap();
    }
    assert!(group.wait_timeout(LONG), "a wait that dispatch does not know of");
}

#[test]
fn every_class_runs() {
    use QosClass::{Background, Default, UserInitiated, UserInteractive, Utility};
    let group = Group::new();
    for qos in [Background, Utility, Default, UserInitiated, UserInteractive] {
        let queue = Queue::create("class").with_qos(qos).build().unwrap();
        assert_eq!((queue.qos(), queue.label(), queue.is_concurrent()), (qos, "class", false));
        group.exec_async(&queue, || ()).unwrap();
        group.exec_async(&Queue::global(qos), || ()).unwrap();
    }
    assert!(group.wait_timeout(LONG));
    assert!(matches!(Queue::create("a\0b").build(), Err(DispatchError::Label)));
}

/// What the classes are to Linux's scheduler.
#[cfg(target_os = "linux")]
#[test]
fn less_urgent_threads_have_a_lower_priority() {
    // SAFETY: getpriority(2) and sched_getscheduler(2) of the calling thread.
    let mine =
        || unsafe { (libc::getpriority(libc::PRIO_PROCESS, 0), libc::sched_getscheduler(0)) };
    for (qos, expected) in [
        (QosClass::UserInitiated, (0, libc::SCHED_OTHER)),
        (QosClass::Utility, (5, libc::SCHED_BATCH)),
        (QosClass::Background, (19, libc::SCHED_IDLE)),
    ] {
        let (said, hear) = channel();
        Queue::global(qos).exec_async(move || said.send(mine()).unwrap()).unwrap();
        let (nice, policy) = hear.recv_timeout(LONG).unwrap();
        let here = mine().0;
        assert_eq!((nice.max(here), policy), (expected.0.max(here), expected.1), "{qos:?}");
    }
}

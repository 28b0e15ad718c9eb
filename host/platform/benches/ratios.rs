//! Ratios, each the median of many: what sharing a copy saves, what a lock and a queue cost
//! beside what others offer. No figure is a promise.
//!
//!     cargo bench -p wrt-platform --bench ratios

use rayon::prelude::*;
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use wrt_platform::dispatch::{Group, QosClass, Queue};
use wrt_platform::lock::{FairLock, LockBuilder, SpinPolicy, UnfairLock};
use wrt_platform::memory::{AllocatorBuilder, page_size};

fn main() {
    // `cargo test --benches` runs this, too.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // By name, or all.
    let asked: Vec<_> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let parts: [(&str, fn()); 3] = [("copies", copies), ("locks", locks), ("fan-out", fan_out)];
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|asked| asked == name) {
            part();
        }
    }
}

/// The median of the times that `work` takes.
fn median(times: usize, mut work: impl FnMut()) -> Duration {
    let mut all: Vec<_> = (0..times)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    all.sort();
    all[times / 2]
}

fn ratio(of: Duration, to: Duration) -> f64 {
    of.as_secs_f64() / to.as_secs_f64().max(f64::MIN_POSITIVE)
}

/// A copy of memory that is used by a tenth, shared and not.
fn copies() {
    println!("memcpy : a copy of an image, by size; both are made, a share is written, dropped");
    let allocator = AllocatorBuilder::new().build().expect("an allocator");
    for kib in [64, 256, 1024, 4096, 16384, 65536] {
        let pages = kib * 1024 / page_size();
        let mut source = allocator.allocate(pages, None).expect("memory");
        source.as_mut_slice().expect("writable").fill(7);
        let image = source.freeze().expect("an image");
        let write = |bytes: &mut [u8], one_in: usize| {
            if one_in > 0 {
                bytes.chunks_mut(one_in * page_size()).for_each(|pages| pages[0] = 1);
            }
        };
        let times = (200_000 / kib).clamp(9, 500);
        let mut line = format!("{kib:>8} KiB ");
        for (share, one_in) in [("none", 0), ("1 %", 100), ("10 %", 10), ("all", 1)] {
            let memcpy = median(times, || {
                let mut copy = allocator.allocate(pages, None).expect("memory");
                let bytes = copy.as_mut_slice().expect("writable");
                bytes.copy_from_slice(source.as_slice().expect("readable"));
                write(bytes, one_in);
            });
            let shared = median(times, || {
                let mut copy = allocator.instantiate(&image).expect("a copy");
                write(copy.as_mut_slice().expect("writable"), one_in);
            });
            line += &format!("  {share} written {:>8.2}", ratio(memcpy, shared));
        }
        println!("{line}");
    }
}

/// The time that threads need to take a lock so often.
fn contend(threads: usize, step: &(dyn Fn() + Sync)) -> Duration {
    const STEPS: usize = 40_000;
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| (0..STEPS / threads).for_each(|_| step()));
        }
    });
    start.elapsed()
}

fn locks() {
    println!("locks : std::sync::Mutex, by threads");
    let build = |builder: LockBuilder| builder.build(0_u64).expect("a lock");
    let standard = Mutex::new(0_u64);
    let parking = parking_lot::Mutex::new(0_u64);
    let parking_fair = parking_lot::FairMutex::new(0_u64);
    let (unfair, fair) = (UnfairLock::new(0_u64), FairLock::new(0_u64));
    let adaptive = build(LockBuilder::new().with_spin_policy(SpinPolicy::Adaptive));
    let inherit = build(LockBuilder::new().with_priority_inheritance(true));
    let all: [(&str, &(dyn Fn() + Sync)); 7] = [
        ("std", &|| *standard.lock().expect("no panic") += 1),
        ("unfair", &|| *unfair.lock() += 1),
        ("unfair, adaptive", &|| *adaptive.lock() += 1),
        ("unfair, inheriting", &|| *inherit.lock() += 1),
        ("parking_lot", &|| *parking.lock() += 1),
        ("parking_lot fair", &|| *parking_fair.lock() += 1),
        ("fair", &|| *fair.lock() += 1),
    ];
    for threads in [1, 2, 4, 8] {
        // In turns, so that what disturbs the machine disturbs all.
        let mut times = [const { Vec::new() }; 7];
        for _ in 0..15 {
            for ((_, step), times) in all.iter().zip(&mut times) {
                times.push(contend(threads, step));
            }
        }
        let middle = times.map(|mut times| {
            times.sort();
            times[times.len() / 2]
        });
        let cells = all.iter().zip(middle).skip(1);
        let cells = cells.map(|((name, _), time)| format!("{name} {:.2}", ratio(time, middle[0])));
        println!("{threads:>4} threads  {}", cells.collect::<Vec<_>>().join("  "));
    }
}

/// Some work that the compiler cannot do ahead.
fn work(length: u64) -> u64 {
    (0..length).fold(1, |sum: u64, number| black_box(sum.wrapping_mul(31) ^ number))
}

fn ignore(_: u64) {}

fn fan_out() {
    println!("fan-out of 1000 jobs : rayon, by the length of a job");
    let queue = Queue::create("bench")
        .with_concurrent(true)
        .with_qos(QosClass::UserInitiated)
        .build()
        .expect("a queue");
    let sum = AtomicU64::new(0);
    let add = |length| {
        sum.fetch_add(work(length), Ordering::Relaxed);
    };
    for length in [100, 1000, 10_000] {
        let rayon = median(15, || (0..1000).into_par_iter().for_each(|_| add(length)));
        let apply = median(15, || queue.apply(1000, |_| add(length)).expect("no panic"));
        let spawned = median(15, || {
            rayon::scope(|scope| (0..1000).for_each(|_| scope.spawn(|_| add(length))));
        });
        let group = Group::new();
        let submitted = median(15, || {
            for _ in 0..1000 {
                group
                    .exec_async(&queue, move || ignore(black_box(work(length))))
                    .expect("a thread");
            }
            group.wait();
        });
        let threads = median(5, || {
            thread::scope(|scope| (0..1000).for_each(|_| drop(scope.spawn(|| add(length)))));
        });
        println!(
            "{length:>6} steps  apply {:.2} of a parallel iterator  exec_async {:.2} of a scope  \
             a thread each {:.2} of a scope",
            ratio(apply, rayon),
            ratio(submitted, spawned),
            ratio(threads, spawned)
        );
    }
}

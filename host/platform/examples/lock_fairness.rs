//! What fairness costs, and what it gives: two locks, a few threads.
//!
//!     cargo run --release -p wrt-platform --example lock_fairness

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use wrt_platform::lock::{LockBuilder, LockError, SpinPolicy};

const THREADS: usize = 4;

fn main() -> Result<(), LockError> {
    let builder =
        LockBuilder::new().with_spin_policy(SpinPolicy::None).with_priority_inheritance(false);
    let (unfair, fair) = (builder.build(0_u64)?, builder.build_fair(0_u64)?);

    let shares = compete(&|| *unfair.lock() += 1);
    report("unfair", &shares, unfair.into_inner());
    let shares = compete(&|| *fair.lock() += 1);
    report("fair", &shares, fair.into_inner());
    println!("use unfair locks unless fairness is required");
    Ok(())
}

/// How often each thread gets the lock within the same time.
fn compete(step: &(impl Fn() + Sync)) -> Vec<u64> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let work = || {
            let mut count = 0;
            while !over.load(Ordering::Relaxed) {
                step();
                count += 1;
            }
            count
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        thread::sleep(Duration::from_millis(200));
        over.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).collect()
    })
}

fn report(name: &str, shares: &[u64], sum: u64) {
    let right = if shares.iter().sum::<u64>() == sum { "right" } else { "wrong" };
    let (least, most) = (shares.iter().min().unwrap_or(&0), shares.iter().max().unwrap_or(&0));
    println!("{name}: the sum is {right}; {least} to {most} turns a thread, {sum} in all");
}

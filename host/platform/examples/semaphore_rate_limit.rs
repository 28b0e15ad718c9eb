//! Tasks on a global queue, three at a time.
//!
//!     cargo run -p wrt-platform --example semaphore_rate_limit

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wrt_platform::dispatch::{DispatchError, Group, QosClass, Queue, Semaphore};

fn main() -> Result<(), DispatchError> {
    let (semaphore, group) = (Semaphore::new(3), Group::new());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));

    for _ in 0..20 {
        semaphore.wait();
        let (permit, now, most) = (semaphore.clone(), Arc::clone(&now), Arc::clone(&most));
        group.exec_async(&Queue::global(QosClass::Default), move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(2));
            now.fetch_sub(1, Ordering::SeqCst);
            permit.signal();
        })?;
    }
    group.wait();
    let within = most.load(Ordering::SeqCst) <= 3;
    println!("20 tasks are done, {} at a time", if within { "three at most" } else { "too many" });
    Ok(())
}

//! Modules that run side by side on a queue, and a group that knows when all are done.
//!
//!     cargo run -p wrt-platform --example queue_and_group

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use wrt_platform::dispatch::{DispatchError, Group, QosClass, Queue};

fn main() -> Result<(), DispatchError> {
    let queue = Queue::create("com.wrt.wasm.execution")
        .with_qos(QosClass::UserInitiated)
        .with_concurrent(true)
        .build()?;
    let group = Group::new();
    let sum = Arc::new(AtomicU64::new(0));

    for module in 1..=10 {
        // Left when the job ends, be it by a panic.
        let entry = group.entry();
        let sum = Arc::clone(&sum);
        queue.exec_async(move || {
            sum.fetch_add(execute(module), Ordering::Relaxed);
            drop(entry);
        })?;
    }

    group.wait();
    println!("all modules are done: {}", sum.load(Ordering::Relaxed));

    let (said, hear) = channel();
    group.notify(&queue, move || {
        let _ = said.send("all modules completed");
    })?;
    println!("told: {}", hear.recv().unwrap_or("nothing"));

    let inner = queue.clone();
    let nested = queue.barrier_sync(move || inner.barrier_sync(|| ()))?;
    println!("a queue that waits for itself: {}", nested.err().map_or_else(String::new, text));
    Ok(())
}

fn execute(module: u64) -> u64 {
    (1..=module).product()
}

fn text(error: DispatchError) -> String {
    error.to_string()
}

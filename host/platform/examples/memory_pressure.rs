//! Caches that grow smaller as memory grows scarce.
//!
//!     cargo run -p wrt-platform --example memory_pressure [SECONDS]

use std::time::Duration;
use wrt_platform::memory::purge_all;
use wrt_platform::pressure::{
    PressureError, PressureLevel, PressureMonitor, availability, current_level,
};

fn main() -> Result<(), PressureError> {
    let monitor = PressureMonitor::new();
    monitor.on_pressure(|level| match level {
        PressureLevel::Normal => println!("memory is fine again"),
        PressureLevel::Warning => println!("warning: shrinking caches by half"),
        PressureLevel::Urgent => {
            println!("urgent: dropping all caches");
            purge_all();
        }
        PressureLevel::Critical => {
            println!("critical: starting nothing new");
            purge_all();
        }
    });
    monitor.start()?;
    println!("watching memory pressure by: {}", availability().how);
    println!("a level is known: {}", current_level() <= PressureLevel::Critical);

    let seconds = std::env::args().nth(1).and_then(|number| number.parse().ok());
    std::thread::sleep(Duration::from_secs(seconds.unwrap_or(0)));
    drop(monitor);
    println!("no longer watching");
    Ok(())
}

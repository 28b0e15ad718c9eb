//! Logs to the system (Console.app, the journal) and to standard error.
//!
//!     cargo run -p wrt-platform --example log

use std::error::Error;
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt as _;
use wrt_platform::log::{Format, GuestLimits, GuestLog, Log, Redaction, StderrLayer, system_layer};

fn main() -> Result<(), Box<dyn Error>> {
    let system = system_layer("org.wrt-vm.example");
    println!("the system's own log: {}", if system.is_some() { "yes" } else { "there is none" });
    let stderr = StderrLayer::new(Format::Text);
    let layers = tracing_subscriber::registry().with(system).with(stderr);
    tracing::subscriber::set_global_default(layers)?;

    let log = Log::new("org.wrt-vm.example", "wasm");
    log.default(format_args!("WASM module loaded: {}", "hello.wasm"));
    log.info("Execution started");
    log.debug(format_args!("Stack pointer: {:#x}", 0x2000));
    log.error("Execution failed: none did, this is an example");
    log.fault("Critical failure - stopping runtime: not really");

    let activity = log.create_activity("WASM Execution");
    let entered = activity.enter();
    log.info("within the activity");
    drop(entered);

    let limits = GuestLimits { lines: 3, ..GuestLimits::default() };
    let mut guest = GuestLog::new(1, limits, Redaction::Shown);
    for number in 0..1000 {
        let line = format!("line {number} with \x1b[31mred\x1b[0m and %n in it");
        guest.line(Level::INFO, line.as_bytes());
    }
    Ok(())
}

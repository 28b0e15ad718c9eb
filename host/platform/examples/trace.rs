//! Records intervals, events and values: live in Instruments, or for `bpftrace`; and in a file
//! for ui.perfetto.dev.
//!
//!     cargo run -p wrt-platform --example trace -- trace.json

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt as _;
use wrt_platform::trace::{Recorder, file_layer, system_layer};

fn main() -> Result<(), Box<dyn Error>> {
    let in_scratch = || std::env::temp_dir().join("wrt-trace.json");
    let path = std::env::args_os().nth(1).map_or_else(in_scratch, PathBuf::from);
    let (layer, file) = file_layer(File::create(&path)?)?;
    let layers =
        tracing_subscriber::registry().with(system_layer("org.wrt-vm.example")).with(layer);
    tracing::subscriber::set_global_default(layers)?;

    let recorder = Recorder::new("org.wrt-vm.example");
    let loading = recorder.begin("Module Load");
    work();
    loading.end();
    recorder.event("Compilation Start");
    for step in 0..5_u8 {
        recorder.value("Memory Usage", f64::from(step) * 1024.0);
        let sum = recorder.interval("WASM Execution", work);
        tracing::info!(target: "wrt_example", step, sum, "a step is done");
    }
    file.finish()?;
    println!("{}: {} bytes; open it in ui.perfetto.dev", path.display(), path.metadata()?.len());
    Ok(())
}

fn work() -> u64 {
    std::thread::sleep(Duration::from_millis(2));
    (0..10_000).sum()
}

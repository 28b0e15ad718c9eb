//! `--stats` and `-v`: what a run did, for people.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};
use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt, registry};
use wrt_platform::pressure::PressureLevel;
use wrt_platform::trace::{Recorder, TraceFile, file_layer};
use wrt_vm::{Bytes, EngineKind, MicroVm, Usage};

/// What a run used, and why.
struct Setup {
    backend: &'static str,
    boundary: String,
    engine: EngineKind,
    why: &'static str,
}

/// Times of a run, and what its VM counted.
pub(super) struct Timeline {
    recorder: Recorder,
    steps: Vec<(&'static str, Duration)>,
    usage: Option<Usage>,
    setup: Option<Setup>,
    pressure: Option<PressureLevel>,
    /// What the jail is worth.
    jail: Option<String>,
}

impl Timeline {
    /// Nothing has been done yet.
    pub(super) fn start() -> Self {
        Self {
            recorder: Recorder::new("org.wrt-vm"),
            steps: Vec::new(),
            usage: None,
            setup: None,
            pressure: None,
            jail: None,
        }
    }

    /// Does a step of this name.
    pub(super) fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = self.recorder.interval(name, work);
        self.steps.push((name, begun.elapsed()));
        result
    }

    /// The run is over, one way or the other. `why` tells why on this engine.
    pub(super) fn finished(&mut self, vm: &MicroVm, why: &'static str) {
        self.usage = Some(vm.usage());
        if let Some(jail) = vm.jail() {
            self.jailed(jail.to_owned());
        }
        let (backend, boundary, engine) = (vm.backend(), vm.boundary(), vm.engine());
        self.setup = Some(Setup { backend, boundary, engine, why });
    }

    /// The process that has the VM is in a jail, which is worth this.
    pub(super) fn jailed(&mut self, jail: String) {
        self.jail = Some(jail);
    }

    /// The memory pressure with which the run was let in.
    pub(super) fn admitted(&mut self, pressure: PressureLevel) {
        self.pressure = Some(pressure);
    }

    /// Prints the table to standard error.
    pub(super) fn print(&self) {
        let _ = std::io::stderr().write_all(self.table().as_bytes());
    }

    /// The table.
    pub(super) fn table(&self) -> String {
        let mut table = format!("{:<14}{:>12}\n", "time", "");
        for (name, time) in &self.steps {
            table += &format!("  {name:<12}{:>12}\n", milliseconds(*time));
            if let (&"load", Some(usage)) = (name, &self.usage) {
                table += &format!("    {:<10}{:>12}\n", "of it boot", milliseconds(usage.boot));
            }
        }
        if let Some(usage) = &self.usage {
            table += &format!("{:<14}{:>12}\n", "exits", usage.exits.total());
            for (name, count) in [
                ("commands", usage.exits.commands),
                ("wasi", usage.exits.wasi),
                ("memory", usage.exits.memory),
                ("log", usage.exits.log),
                ("kicks", usage.exits.kicks),
                ("other", usage.exits.other),
            ] {
                if count > 0 {
                    table += &format!("  {name:<12}{count:>12}\n");
                }
            }
            table += "memory\n";
            table += &format!("  {:<12}{:>12}\n", "guest peak", Bytes(usage.peak).to_string());
        }
        if let Some(resident) = wrt_platform::memory::peak_resident() {
            table += &format!("  {:<12}{:>12}\n", "host peak", Bytes(resident).to_string());
        }
        if let Some(level) = self.pressure {
            table += &format!("  {:<12}{:>12}\n", "pressure", level.to_string());
        }
        if let Some(Setup { backend, boundary, engine, why }) = &self.setup {
            table += &format!("{:<14}{backend:>12}  ({boundary})\n", "backend");
            table += &format!("{:<14}{engine:>12}  ({why})\n", "engine");
            let jail = self.jail.as_deref().unwrap_or("none");
            table += &format!("{:<14}{jail:>12}\n", "jail");
        }
        table
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

/// Sends the log to standard error, from the level that `verbose` asks for.
pub(super) fn log_to_stderr(verbose: u8) {
    if let Some(log) = log_layer(verbose) {
        // Fails only if a subscriber is set already; nothing else sets one.
        let _ = registry().with(log).try_init();
    }
}

/// The same, and records what is done, and when, in a file.
///
/// # Errors
///
/// When the file cannot be written.
pub(super) fn trace_to(path: &Path, verbose: u8) -> io::Result<TraceFile> {
    let (trace, file) = file_layer(File::create(path)?)?;
    let _ = registry().with(log_layer(verbose)).with(trace).try_init();
    Ok(file)
}

fn log_layer<S>(verbose: u8) -> Option<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let level = match verbose {
        0 => return None,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    Some(fmt::layer().with_writer(io::stderr).without_time().with_filter(level))
}

//! `--stats`: what a run did, for people.

use std::io::Write as _;
use std::time::{Duration, Instant};
use wrt_platform::pressure::PressureLevel;
use wrt_platform::trace::Recorder;
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
                ("vector", usage.exits.vector),
                ("kicks", usage.exits.kicks),
                ("other", usage.exits.other),
            ] {
                if count > 0 {
                    table += &format!("  {name:<12}{count:>12}\n");
                }
            }
            table += "memory\n";
            table += &format!("  {:<12}{:>12}\n", "guest peak", Bytes(usage.peak).to_string());
            let code = Bytes(usage.executable).to_string();
            table += &format!("  {:<12}{code:>12}  (executable, never writable)\n", "guest code");
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

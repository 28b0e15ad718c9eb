//! `--stats`: what a run did, for people.

use super::{log, say};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use wrt_platform::log::Format;
use wrt_platform::pressure::PressureLevel;
use wrt_platform::text::harmless_json;
use wrt_platform::trace::Recorder;
use wrt_vm::{Bytes, EngineKind, MicroVm, Usage};

/// What a run used, and why.
pub(super) struct Setup {
    pub(super) backend: &'static str,
    pub(super) boundary: String,
    pub(super) engine: EngineKind,
    pub(super) why: &'static str,
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

    /// What the run used, once it is over.
    pub(super) fn setup(&self) -> Option<&Setup> {
        self.setup.as_ref()
    }

    /// What the VM counted, once the run is over.
    pub(super) fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// The steps so far, and how long each took.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.steps.iter().copied()
    }

    /// What the jail is worth, if there is one.
    pub(super) fn jail(&self) -> Option<&str> {
        self.jail.as_deref()
    }

    /// Whether the program was refused memory.
    pub(super) fn was_refused_memory(&self) -> bool {
        self.usage.is_some_and(|usage| usage.memory_refused)
    }

    /// Whether it was refused memory that it may have, for lack of it.
    pub(super) fn lacked_memory(&self) -> bool {
        self.usage.is_some_and(|usage| usage.system_out_of_memory)
    }

    /// Prints the figures to standard error, in the format of the log.
    pub(super) fn print(&self) {
        match log::format() {
            Format::Text => say::print(&self.table()),
            Format::Json => say::print(&log::figures("stats", &members(&self.figures()))),
        }
    }

    /// The figures as members of an object: times in milliseconds, memory in bytes.
    pub(super) fn figures(&self) -> Map<String, Value> {
        let ms = |time: Duration| json!(time.as_secs_f64() * 1e3);
        let steps: Map<_, _> =
            self.steps.iter().map(|(name, time)| ((*name).to_owned(), ms(*time))).collect();
        let mut figures = Map::from_iter([("milliseconds".to_owned(), Value::Object(steps))]);
        let mut add = |name: &str, value: Value| {
            figures.insert(name.to_owned(), value);
        };
        if let Some(usage) = &self.usage {
            add("boot_milliseconds", ms(usage.boot));
            add("exits", json!(usage.exits));
            add("guest_peak", json!(usage.peak));
            add("guest_code", json!(usage.executable));
            add("memory_refused", json!(usage.memory_refused));
            add("system_out_of_memory", json!(usage.system_out_of_memory));
        }
        if let Some(resident) = wrt_platform::memory::peak_resident() {
            add("host_peak", json!(resident));
        }
        if let Some(level) = self.pressure {
            add("pressure", json!(level.to_string()));
        }
        if let Some(Setup { backend, boundary, engine, why }) = &self.setup {
            add("backend", json!(backend));
            add("boundary", json!(boundary));
            add("engine", json!(engine.to_string()));
            add("engine_reason", json!(why));
            add("jail", json!(self.jail.as_deref().unwrap_or("none")));
        }
        figures
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
            if usage.memory_refused {
                let why = match usage.system_out_of_memory {
                    true => "the system has no more for it",
                    false => "more was wanted: --max-memory",
                };
                table += &format!("  {:<12}{:>12}  ({why})\n", "refused", "yes");
            }
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

/// The inside of an object of JSON.
pub(super) fn members(object: &Map<String, Value>) -> String {
    let text = harmless_json(&Value::Object(object.clone()).to_string());
    text[1..text.len() - 1].to_owned()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

//! `--stats`: what a run did, for people.

use super::{log, say};
use serde_json::{Map, Value, json};
use std::time::Duration;
use wrt_platform::log::Format;
use wrt_platform::text::harmless_json;
use wrt_vm::Report;
use wrt_vm::engine::Setup;
use wrt_vm::error::Bytes;

/// Prints the figures to standard error, in the format of the log.
pub(super) fn print(report: &Report) {
    match log::format() {
        Format::Text => say::print(&table(report)),
        Format::Json => say::print(&log::figures("stats", &members(&figures(report)))),
    }
}

/// The figures as members of an object: times in milliseconds, memory in bytes.
pub(super) fn figures(report: &Report) -> Map<String, Value> {
    let ms = |time: Duration| json!(time.as_secs_f64() * 1e3);
    let steps: Map<_, _> =
        report.steps.iter().map(|(name, time)| ((*name).to_owned(), ms(*time))).collect();
    let mut figures = Map::from_iter([("milliseconds".to_owned(), Value::Object(steps))]);
    let mut add = |name: &str, value: Value| {
        figures.insert(name.to_owned(), value);
    };
    if let Some(usage) = &report.usage {
        add("boot_milliseconds", ms(usage.boot));
        add("exits", usage.exits.kinds().collect());
        add("guest_peak", json!(usage.peak));
        add("guest_code", json!(usage.executable));
        add("memory_refused", json!(usage.memory_refused));
        add("system_out_of_memory", json!(usage.system_out_of_memory));
    }
    if let Some(resident) = wrt_platform::memory::peak_resident() {
        add("host_peak", json!(resident));
    }
    if let Some(level) = report.pressure {
        add("pressure", json!(level.to_string()));
    }
    if let Some(Setup { backend, boundary, engine, why, .. }) = &report.setup {
        add("backend", json!(backend));
        add("boundary", json!(boundary));
        add("engine", json!(engine.to_string()));
        add("engine_reason", json!(why));
        add("jail", json!(report.jail.as_deref().unwrap_or("none")));
    }
    figures
}

/// The table.
pub(super) fn table(report: &Report) -> String {
    let mut table = format!("{:<14}{:>12}\n", "time", "");
    for (name, time) in &report.steps {
        table += &format!("  {name:<12}{:>12}\n", milliseconds(*time));
        if let (&"load", Some(usage)) = (name, &report.usage) {
            table += &format!("    {:<10}{:>12}\n", "of it boot", milliseconds(usage.boot));
        }
    }
    if let Some(usage) = &report.usage {
        table += &format!("{:<14}{:>12}\n", "exits", usage.exits.total());
        for (name, count) in usage.exits.kinds() {
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
    if let Some(level) = report.pressure {
        table += &format!("  {:<12}{:>12}\n", "pressure", level.to_string());
    }
    if let Some(Setup { backend, boundary, engine, why, .. }) = &report.setup {
        table += &format!("{:<14}{backend:>12}  ({boundary})\n", "backend");
        table += &format!("{:<14}{engine:>12}  ({why})\n", "engine");
        let jail = report.jail.as_deref().unwrap_or("none");
        table += &format!("{:<14}{jail:>12}\n", "jail");
    }
    table
}

/// The inside of an object of JSON.
pub(super) fn members(object: &Map<String, Value>) -> String {
    let text = harmless_json(&Value::Object(object.clone()).to_string());
    text[1..text.len() - 1].to_owned()
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1e3)
}

//! Lines for people, or for programs as JSON.

use super::GUEST;
use crate::fields::Fields;
use crate::stdio::StandardError;
use crate::text::{push_json, push_printable};
use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Longest name of a program that is shown, in bytes.
const MAX_NAME: usize = 256;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ` INFO target: message field=value`; what a program in a VM says is
    /// `name: info: message`.
    Text,
    /// One object a line: `time` in seconds since 1970, `level`, `target`, `fields`.
    Json,
}

/// Writes events as lines, without anything in them that a terminal obeys.
#[derive(Debug)]
pub struct StderrLayer<W = StandardError> {
    format: Format,
    out: Mutex<W>,
}

impl StderrLayer {
    /// Writes to standard error.
    pub fn new(format: Format) -> Self {
        Self::to(StandardError, format)
    }
}

impl<W: Write> StderrLayer<W> {
    /// Writes elsewhere.
    pub fn to(out: W, format: Format) -> Self {
        Self { format, out: Mutex::new(out) }
    }
}

impl<S, W> Layer<S> for StderrLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Write + 'static,
{
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = line(self.format, event);
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody could be told.
        let _ = out.write_all(line.as_bytes());
    }
}

/// A line of this program's own, which is no event: `message`, or an object like those of events.
/// `fields` is the inside of an object of JSON, of what else there is to tell.
pub fn note(format: Format, level: Level, target: &str, message: &str, fields: &str) -> String {
    match format {
        Format::Text => format!("{message}\n"),
        Format::Json => {
            let mut all = String::from("\"message\":");
            push_json(&mut all, message);
            if !fields.is_empty() {
                all.push(',');
                all.push_str(fields);
            }
            object(level, target, &all)
        }
    }
}

fn object(level: Level, target: &str, fields: &str) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut line = format!("{{\"time\":{:.6},\"level\":\"{level}\",", time.as_secs_f64());
    line.push_str("\"target\":");
    push_json(&mut line, target);
    let _ = writeln!(line, ",\"fields\":{{{fields}}}}}");
    line
}

fn line(format: Format, event: &Event<'_>) -> String {
    let (mut fields, metadata) = (Fields::of_event(event), event.metadata());
    let (level, target) = (*metadata.level(), metadata.target());
    match format {
        Format::Text if target == GUEST && fields.text("program").is_some() => {
            let mut line = String::new();
            push_printable(&mut line, fields.text("program").unwrap_or_default(), MAX_NAME);
            // Its number tells no more than its name to who has one.
            fields.values.retain(|(name, _)| !matches!(*name, "program" | "vm"));
            let level = level.as_str().to_ascii_lowercase();
            let _ = writeln!(line, ": {level}: {}", fields.line());
            line
        }
        Format::Text => format!("{level:>5} {target}: {}\n", fields.line()),
        Format::Json => object(level, target, &fields.json()),
    }
}

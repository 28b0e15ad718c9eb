//! Lines for people, or for programs as JSON.

use crate::fields::Fields;
use crate::text::push_json;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ` INFO target: message field=value`
    Text,
    /// One object a line: `time` in seconds since 1970, `level`, `target`, `fields`.
    Json,
}

/// Writes events as lines, without anything in them that a terminal obeys.
#[derive(Debug)]
pub struct StderrLayer<W = io::Stderr> {
    format: Format,
    out: Mutex<W>,
}

impl StderrLayer {
    /// Writes to standard error.
    pub fn new(format: Format) -> Self {
        Self::to(io::stderr(), format)
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

fn line(format: Format, event: &Event<'_>) -> String {
    let (fields, metadata) = (Fields::of_event(event), event.metadata());
    let (level, target) = (metadata.level(), metadata.target());
    match format {
        Format::Text => format!("{level:>5} {target}: {}\n", fields.line()),
        Format::Json => {
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let mut line = format!("{{\"time\":{:.6},\"level\":\"{level}\",", time.as_secs_f64());
            line.push_str("\"target\":");
            push_json(&mut line, target);
            let _ = writeln!(line, ",\"fields\":{{{}}}}}", fields.json());
            line
        }
    }
}

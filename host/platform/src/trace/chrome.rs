//! A file in Chrome's trace format, which Perfetto (ui.perfetto.dev) opens.
//!
//! Format: "Trace Event Format" of the Chromium project, the array of objects. It may end
//! anywhere between two objects, so that a process which ends without a word leaves a valid
//! file: only whole records are written, and a regular exit (`exit(3)`) or Ctrl-C writes the rest.

mod sink;

pub(crate) use sink::finish_all_at_once;
pub use sink::{MAX_BYTES, TraceFile};

use super::TARGET;
use crate::fields::Fields;
use crate::text::push_json;
use sink::Sink;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::sync::Arc;
use tracing::span::{Attributes, Id};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, Filtered, filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Writes spans and events to a trace.
#[derive(Debug)]
pub struct ChromeLayer {
    sink: Arc<Sink>,
}

/// A [`ChromeLayer`] that looks at this project's spans and events only.
pub type FileLayer<S> = Filtered<ChromeLayer, FilterFn<fn(&Metadata<'_>) -> bool>, S>;

/// A layer that writes this project's spans and events (targets that begin with `wrt` or are
/// `guest`) to `file`, and the handle that ends the file.
///
/// Text of guests is data in it, escaped. At most [`MAX_BYTES`] are written.
///
/// # Errors
///
/// When the file cannot be written.
pub fn file_layer<S>(file: File) -> io::Result<(FileLayer<S>, TraceFile)>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let sink = Sink::new(file)?;
    let filter: fn(&Metadata<'_>) -> bool = is_ours;
    let layer = ChromeLayer { sink: Arc::clone(&sink) }.with_filter(filter_fn(filter));
    Ok((layer, TraceFile::new(sink)))
}

fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("wrt") || metadata.target() == "guest"
}

/// What a span is in the trace.
struct Named {
    /// As a string of JSON.
    name: String,
    /// The inside of an object of JSON.
    arguments: String,
    /// Not bound to the thread: begins and ends with the span itself.
    is_interval: bool,
}

impl ChromeLayer {
    fn write(&self, phase: char, name: &str, rest: &str) {
        self.sink.record(phase, name, rest);
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ChromeLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let metadata = attributes.metadata();
        let fields = Fields::of_span(attributes);
        let ours = metadata.target() == TARGET;
        let label = if ours { fields.text("name") } else { None };
        let mut name = String::new();
        push_json(&mut name, label.unwrap_or(metadata.name()));
        let is_interval = ours && metadata.name() == "interval";
        let named = Named { name, arguments: fields.json(), is_interval };
        if is_interval {
            let rest = format!("\"id\":{},\"args\":{{{}}}", id.into_u64(), named.arguments);
            self.write('b', &named.name, &rest);
        }
        span.extensions_mut().insert(named);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(named) = span.extensions().get::<Named>().filter(|named| !named.is_interval) {
            self.write('B', &named.name, &format!("\"args\":{{{}}}", named.arguments));
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(named) = span.extensions().get::<Named>().filter(|named| !named.is_interval) {
            self.write('E', &named.name, "");
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(named) = span.extensions().get::<Named>().filter(|named| named.is_interval) {
            self.write('e', &named.name, &format!("\"id\":{}", id.into_u64()));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let fields = Fields::of_event(event);
        let mut name = String::new();
        if let (Some(counter), Some(value)) = (fields.text("counter"), fields.number("value")) {
            push_json(&mut name, counter);
            let value = if value.is_finite() { value } else { 0.0 };
            self.write('C', &name, &format!("\"args\":{{\"value\":{value}}}"));
            return;
        }
        push_json(
            &mut name,
            fields.text("event").or(fields.text("message")).unwrap_or(event.metadata().name()),
        );
        let mut rest = String::from("\"s\":\"t\",\"cat\":");
        push_json(&mut rest, event.metadata().target());
        let _ = write!(rest, ",\"args\":{{{}}}", fields.json());
        self.write('i', &name, &rest);
    }
}

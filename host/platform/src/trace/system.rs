//! Spans and events of `tracing` as the system's own signposts.

use super::{TARGET, sys};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Passes entered spans and events on to the system. A [`Recorder`](super::Recorder) does so by
/// itself.
#[derive(Debug)]
pub struct SystemLayer {
    system: sys::Signposts,
}

/// A layer that passes entered spans and events on to the system.
pub fn system_layer(subsystem: &'static str) -> SystemLayer {
    SystemLayer { system: sys::Signposts::new(subsystem) }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SystemLayer {
    fn on_new_span(&self, _: &Attributes<'_>, _: &Id, _: Context<'_, S>) {}

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| span.metadata().target() != TARGET) {
            self.system.begin(span.name(), id.into_u64());
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id).filter(|span| span.metadata().target() != TARGET) {
            self.system.end(span.name(), id.into_u64());
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            self.system.event(event.metadata().name());
        }
    }
}

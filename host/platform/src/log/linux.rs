//! Linux: the journal, where there is one.
//!
//! A [sandbox](crate::sandbox) lets nothing be sent to an address, so the socket is connected when
//! the layer is made. It stays connected over restarts of journald: systemd holds the other end.
//! The format is that of <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use crate::availability::Availability;
use crate::fields::{Fields, MAX_VALUE, Value};
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Where journald listens (`systemd-journald.service(8)`).
const SOCKET: &str = "/run/systemd/journal/socket";
/// How long an event waits for a journal that is busy. One that waits longer is left out.
const PATIENCE: Duration = Duration::from_millis(250);

/// Sends events to journald.
#[derive(Debug)]
pub struct SystemLayer {
    socket: UnixDatagram,
    name: &'static str,
    /// Events that could not be sent, and that no later one has told of.
    lost: AtomicU64,
}

/// A layer that sends events to the journal, under this name; `None` where there is no journal.
/// Its socket is opened here: make it before a [sandbox](crate::sandbox) is entered.
pub fn system_layer(subsystem: &'static str) -> Option<SystemLayer> {
    SystemLayer::connect(Path::new(SOCKET), subsystem).ok()
}

/// The fields of a span, ready to be sent with its events.
struct OfSpan(Vec<u8>);

impl SystemLayer {
    fn connect(to: &Path, name: &'static str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(to)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, name, lost: AtomicU64::new(0) })
    }

    /// Sends an entry. One that cannot be sent is counted, and the next one tells of it.
    fn send(&self, entry: &[u8]) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let mut note = Vec::new();
            put(&mut note, "PRIORITY", priority(Level::WARN));
            put(&mut note, "SYSLOG_IDENTIFIER", self.name);
            put(&mut note, "MESSAGE", &format!("the journal was busy: {lost} lines were left out"));
            if self.socket.send(&note).is_err() {
                self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                return;
            }
        }
        if self.socket.send(entry).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<S> Layer<S> for SystemLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Vec::new();
        put(&mut fields, "SPAN_NAME", span.name());
        put_all(&mut fields, &Fields::of_span(attributes));
        span.extensions_mut().insert(OfSpan(fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut entry = Vec::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(OfSpan(fields)) = span.extensions().get() {
                entry.extend_from_slice(fields);
            }
        }
        put_metadata(&mut entry, event.metadata());
        put(&mut entry, "SYSLOG_IDENTIFIER", self.name);
        put_all(&mut entry, &Fields::of_event(event));
        self.send(&entry);
    }
}

/// Levels as `syslog(3)` counts them: errors are 3, and `debug` is left to traces.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "5",
        Level::DEBUG => "6",
        Level::TRACE => "7",
    }
}

fn put_metadata(entry: &mut Vec<u8>, metadata: &Metadata<'_>) {
    put(entry, "PRIORITY", priority(*metadata.level()));
    put(entry, "TARGET", metadata.target());
    if let Some(file) = metadata.file() {
        put(entry, "CODE_FILE", file);
    }
    if let Some(line) = metadata.line() {
        put(entry, "CODE_LINE", &line.to_string());
    }
}

/// Puts what was recorded. Fields but the message get a prefix, so that none is taken for one of
/// journald's own.
fn put_all(entry: &mut Vec<u8>, fields: &Fields) {
    for (name, value) in &fields.values {
        let value = match value {
            Value::Text(text) => text[..text.floor_char_boundary(MAX_VALUE)].to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Flag(flag) => flag.to_string(),
        };
        match *name {
            "message" => put(entry, "MESSAGE", &value),
            name => put(entry, &format!("F_{}", name.to_ascii_uppercase()), &value),
        }
    }
}

/// Puts a field with its length, so that no value is taken for the next field. A name has capital
/// letters, digits and underscores.
fn put(entry: &mut Vec<u8>, name: &str, value: &str) {
    let name = name.bytes().map(|byte| if byte.is_ascii_alphanumeric() { byte } else { b'_' });
    entry.extend(name);
    entry.push(b'\n');
    entry.extend((value.len() as u64).to_le_bytes());
    entry.extend(value.as_bytes());
    entry.push(b'\n');
}

pub(super) fn availability() -> Availability {
    let journal = Path::new(SOCKET).exists();
    Availability {
        system: "log",
        available: true,
        how: if journal { "journald, standard error" } else { "standard error" }.to_owned(),
        missing: (!journal).then(|| format!("no journal: {SOCKET} is not there")),
        remedy: (!journal).then(|| "a system with systemd-journald; or use standard error".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// A journal, and a layer that sends to it.
    fn journal() -> (tempfile::TempDir, UnixDatagram, SystemLayer) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let layer = SystemLayer::connect(&path, "the-test").unwrap();
        (directory, journal, layer)
    }

    /// The fields of the next entry, as journald takes them apart.
    fn next(journal: &UnixDatagram) -> Vec<(String, String)> {
        let mut bytes = vec![0; 1 << 16];
        let len = journal.recv(&mut bytes).unwrap();
        let mut rest = &bytes[..len];
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap();
            let name = String::from_utf8(rest[..end].to_vec()).unwrap();
            let (len, value) = rest[end + 1..].split_first_chunk().unwrap();
            let len = usize::try_from(u64::from_le_bytes(*len)).unwrap();
            fields.push((name, String::from_utf8(value[..len].to_vec()).unwrap()));
            assert_eq!(value[len], b'\n');
            rest = &value[len + 1..];
        }
        fields
    }

    fn value<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
        let found = fields.iter().find(|field| field.0 == name);
        found.map_or_else(|| panic!("no {name}: {fields:?}"), |field| &field.1)
    }

    #[test]
    fn an_entry_has_the_events_fields_and_those_of_its_spans() {
        let (_directory, journal, layer) = journal();
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("a-span", vm = 7).entered();
            tracing::warn!(program = "cat", ratio = 0.5, "two\nlines\nPRIORITY=0");
        });
        let fields = next(&journal);
        for (name, expected) in [
            ("PRIORITY", "4"),
            ("SYSLOG_IDENTIFIER", "the-test"),
            ("TARGET", module_path!()),
            ("CODE_FILE", file!()),
            ("MESSAGE", "two\nlines\nPRIORITY=0"),
            ("SPAN_NAME", "a-span"),
            ("F_VM", "7"),
            ("F_PROGRAM", "cat"),
            ("F_RATIO", "0.5"),
        ] {
            assert_eq!(value(&fields, name), expected, "{name}");
        }
    }

    #[test]
    fn what_a_busy_journal_does_not_take_is_counted() {
        let (_directory, journal, layer) = journal();
        let mut sent = 0;
        while layer.lost.load(Ordering::Relaxed) == 0 {
            layer.send(b"X\n");
            sent += 1;
            assert!(sent < 100_000, "a socket takes entries without end");
        }
        for _ in 1..sent {
            journal.recv(&mut [0; 64]).unwrap();
        }
        layer.send(b"X\n");
        let message = "the journal was busy: 1 lines were left out";
        assert_eq!(value(&next(&journal), "MESSAGE"), message);
    }
}

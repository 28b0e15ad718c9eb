//! `--log`, `-v` and `--trace`: where the log and the trace go, and how much of it.

use super::module::STREAM;
use anyhow::{Context as _, anyhow};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;
use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use wrt_platform::files::create;
use wrt_platform::log::{Format, GUEST, StderrLayer, availability, note, system_layer};
use wrt_platform::text::Line;
use wrt_platform::trace::{FileLayer, TraceFile, file_layer};

/// By which the system's log knows this program.
const NAME: &str = "wrt-vm";

/// What `--log` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Destination {
    /// Lines on standard error: `name: warn: what the program says`
    Text,
    /// Lines on standard error, an object of JSON each: time, level, target, fields
    Json,
    /// The system's log: journald, `os_log` on macOS
    System,
}

/// How lines on standard error look.
static FORMAT: OnceLock<Format> = OnceLock::new();

/// The format of lines on standard error.
pub(super) fn format() -> Format {
    FORMAT.get().copied().unwrap_or(Format::Text)
}

/// The target of what this program says by itself.
const OURS: &str = "wrt_vm";

/// A line of what this program says by itself: a note or an error.
pub(super) fn line(what: &str) -> String {
    match (format(), what.strip_prefix("note: ")) {
        (Format::Text, _) => note(Format::Text, Level::ERROR, OURS, &format!("wrt-vm: {what}"), ""),
        (Format::Json, Some(what)) => note(Format::Json, Level::WARN, OURS, what, ""),
        (Format::Json, None) => note(Format::Json, Level::ERROR, OURS, what, ""),
    }
}

/// An object of figures, as a line of the log in JSON. `figures` is the inside of the object.
pub(super) fn figures(what: &str, figures: &str) -> String {
    note(Format::Json, Level::INFO, OURS, what, figures)
}

/// Sends the log where it is wanted, from the level on that `verbose` asks for; and what is done,
/// and when, to the file `trace`, which is waited for no longer than it says if it is a pipe.
///
/// # Errors
///
/// When there is no such log here, or the file cannot be written.
pub(super) fn install(
    to: Destination,
    verbose: u8,
    trace: Option<(&Path, Duration)>,
) -> anyhow::Result<Option<Trace>> {
    let format = match to {
        Destination::Json => Format::Json,
        Destination::Text | Destination::System => Format::Text,
    };
    // It is set once in a process, by its command.
    let _ = FORMAT.set(format);
    let (layer, trace) = trace.map(|(path, limit)| Trace::create(path, limit)).transpose()?.unzip();
    let registry = tracing_subscriber::registry().with(layer);
    let levels = levels(to, verbose);
    // Setting a subscriber fails only if one is set already; nothing else sets one.
    let _ = match to {
        Destination::Text => {
            registry.with(StderrLayer::new(Format::Text).with_filter(levels)).try_init()
        }
        Destination::Json => {
            registry.with(StderrLayer::new(Format::Json).with_filter(levels)).try_init()
        }
        Destination::System => {
            let Some(layer) = system_layer(NAME) else {
                let found = availability();
                let (missing, remedy) = (found.missing, found.remedy);
                return Err(anyhow!(
                    "--log system: {}\n  {}",
                    missing.as_deref().unwrap_or("it cannot be reached"),
                    remedy.as_deref().unwrap_or("--log text or json"),
                ));
            };
            registry.with(layer.with_filter(levels)).try_init()
        }
    };
    Ok(trace)
}

/// A trace that is being written.
pub(super) struct Trace {
    path: PathBuf,
    file: TraceFile,
}

impl Trace {
    fn create(path: &Path, limit: Duration) -> anyhow::Result<(FileLayer<Registry>, Self)> {
        let file = match path == Path::new(STREAM) {
            true => io::stdout().as_fd().try_clone_to_owned().map(File::from),
            false => create(path, limit),
        };
        let made = file.and_then(file_layer);
        let (layer, file) = made.with_context(|| cannot_write(path))?;
        Ok((layer, Self { path: path.to_owned(), file }))
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// When it could not be written whole.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.file.finish().with_context(|| cannot_write(&self.path))
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the trace {}", Line(path.display()))
}

/// What is logged.
fn levels(to: Destination, verbose: u8) -> Targets {
    let (ours, guests) = match (verbose, to) {
        // Somebody who runs a program has its words to read, not ours.
        (0, Destination::Text) => (LevelFilter::OFF, Level::WARN),
        (0, _) => (LevelFilter::WARN, Level::WARN),
        (1, _) => (LevelFilter::INFO, Level::INFO),
        // Our own steps are for the self-test.
        _ => (LevelFilter::DEBUG, Level::TRACE),
    };
    Targets::new().with_default(ours).with_target(GUEST, guests)
}

//! Recorded exits, and where two recordings differ.

use anyhow::Context as _;
use std::fmt::{Arguments, Write as _};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use wrt_vm::machine::EXITS;

/// Writes down the exits of all VMs of this process while it is told to.
pub(super) struct Recorder {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    listening: bool,
    text: String,
}

impl Recorder {
    /// Begins to listen; once a process.
    pub(super) fn install() -> anyhow::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let pen = Pen(Arc::clone(&state));
        let lines = tracing_subscriber::fmt::layer()
            .without_time()
            .with_level(false)
            .with_target(false)
            .with_ansi(false)
            .with_writer(move || pen.clone())
            .with_filter(filter_fn(|event| event.target() == EXITS));
        tracing_subscriber::registry()
            .with(lines)
            .try_init()
            .context("cannot listen to the exits")?;
        Ok(Self { state })
    }

    /// Records from here on, under a heading.
    pub(super) fn begin(&self, heading: Arguments<'_>) {
        let mut state = lock(&self.state);
        state.listening = true;
        // A String takes all.
        let _ = writeln!(state.text, "== {heading}");
    }

    /// Records no more.
    pub(super) fn end(&self) {
        lock(&self.state).listening = false;
    }

    /// All that was recorded.
    pub(super) fn text(&self) -> String {
        lock(&self.state).text.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the lines of events go.
#[derive(Clone)]
struct Pen(Arc<Mutex<State>>);

impl io::Write for Pen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = lock(&self.0);
        if state.listening {
            state.text += &String::from_utf8_lossy(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The first difference between two recordings, in words.
pub(super) fn difference(wanted: &str, found: &str) -> Option<String> {
    let mut heading = "the beginning";
    let mut wanted = wanted.lines();
    let mut found = found.lines();
    let mut line = 0;
    loop {
        line += 1;
        let pair = (wanted.next(), found.next());
        match pair {
            (None, None) => return None,
            (Some(a), Some(b)) if a == b => {
                heading = a.strip_prefix("== ").unwrap_or(heading);
            }
            (a, b) => {
                let [a, b] = [a, b].map(|line| line.unwrap_or("the end"));
                return Some(format!(
                    "NOT as on other machines: in {heading}, line {line} is `{b}`, not `{a}`"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_told_with_its_place() {
        let golden = "== a interp\nReady\nDone Ok\n== b interp\nReady\n";
        assert_eq!(difference(golden, golden), None);
        let other = difference(golden, "== a interp\nReady\nKicked\n").unwrap();
        assert!(other.contains("in a interp, line 3 is `Kicked`, not `Done Ok`"), "{other}");
        let short = difference(golden, "== a interp\nReady\nDone Ok\n== b interp\n").unwrap();
        assert!(short.contains("in b interp, line 5 is `the end`, not `Ready`"), "{short}");
    }
}

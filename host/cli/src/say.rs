//! What this program itself says: on standard error, and without anything that a terminal obeys.

use super::{code, log};
use clap::error::ContextValue;
use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use wrt_platform::stdio::StandardError;
use wrt_platform::text::{Line, Lines};

/// Whether notes are left out.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Leaves out notes from now on, if `quiet`.
pub(super) fn be_quiet(quiet: bool) {
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Says something that is good to know; not with `--quiet`.
pub(super) fn note(what: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        complain(format_args!("note: {what}"));
    }
}

/// Says what went wrong.
pub(super) fn complain(what: impl Display) {
    print(&line(what));
}

/// What this program says, as it says it: in the format of its log.
pub(super) fn line(what: impl Display) -> String {
    log::line(&Lines(what).to_string())
}

/// Writes text to standard error, best effort: a program's end does not wait for a reader longer
/// than [`be_impatient`](wrt_platform::stdio::be_impatient) says.
pub(super) fn print(text: &str) {
    let _ = StandardError.write_all(Lines(text).to_string().as_bytes());
}

/// Says what clap has to say: help, or what is wrong with the words that it was given.
pub(super) fn usage(mut error: clap::Error) -> ExitCode {
    // A word may have line ends, as a message may; only those of a word are not wanted.
    let words = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(word) => Some((kind, ContextValue::String(Line(word).to_string()))),
        _ => None,
    });
    for (kind, word) in words.collect::<Vec<_>>() {
        error.insert(kind, word);
    }
    let plain = error.render().to_string();
    let harmless = Lines(&plain).to_string();
    if harmless == plain {
        // With colours on a terminal.
        let _ = error.print();
    } else {
        print(&harmless);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(code::USAGE))
}

//! Logs: nobody's words obey but as words, and not too many of them.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use wrt_platform::log::{
    Format, GUEST, GuestLimits, GuestLog, Log, Redaction, StderrLayer, system_layer,
};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged(format: Format, run: impl FnOnce()) -> Vec<String> {
    let sink = Sink::default();
    let layer = StderrLayer::to(sink.clone(), format);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), run);
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

const LOG: Log = Log::new("org.wrt-vm.test", "wasm");

#[test]
fn types_are_told_apart() {
    let lines = logged(Format::Text, || {
        LOG.default("a");
        LOG.info("b");
        LOG.debug("c");
        LOG.error("d");
        LOG.fault("e");
    });
    let begin = [" INFO", " INFO", "DEBUG", "ERROR", "ERROR"];
    for (line, begin) in lines.iter().zip(begin) {
        assert!(line.starts_with(begin) && line.contains("category=wasm"), "{line}");
    }
    assert!(lines[0].contains("kind=default") && lines[4].contains("kind=fault"));
    assert!(!lines[3].contains("kind="));
}

#[test]
fn a_terminal_has_nothing_to_obey() {
    for format in [Format::Text, Format::Json] {
        let lines = logged(format, || {
            LOG.info("\x1b[2J\x1b]0;title\x07 \u{9b}31m \u{202e} forged\r\nERROR wrt: line");
            tracing::info!(name = "\x1b[31m", "message");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        for line in lines {
            assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
        }
    }
}

#[test]
fn nobodys_text_is_a_format() {
    let lines = logged(Format::Text, || LOG.info("%s %n %@ {} {0}"));
    assert!(lines[0].contains("%s %n %@ {} {0}"), "{}", lines[0]);
}

#[test]
fn json_is_json() {
    let lines = logged(Format::Json, || tracing::warn!(count = 3, ratio = 0.5, "say \"hi\""));
    let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["message"], "say \"hi\"");
    assert_eq!((&line["fields"]["count"], &line["fields"]["ratio"]), (&3.into(), &0.5.into()));
    assert!(line["time"].as_f64().unwrap() > 1.7e9);
}

#[test]
fn a_flood_is_cut_and_counted() {
    let limits = GuestLimits { lines: 3, line_bytes: 100 };
    let lines = logged(Format::Text, || {
        let mut guest = GuestLog::new(7, limits, Redaction::Shown);
        let start = Instant::now();
        for _ in 0..1000 {
            guest.line_at(start, Level::INFO, b"x");
        }
        assert_eq!(guest.dropped(), 997);
        guest.line_at(start + Duration::from_secs(1), Level::INFO, b"later");
        for _ in 0..4 {
            guest.line_at(start + Duration::from_secs(1), Level::INFO, b"y");
        }
    });
    assert_eq!(lines.len(), 3 + 1 + 3 + 1, "{lines:#?}");
    assert!(lines[3].contains("dropped=997") && lines[3].contains("vm=7"), "{}", lines[3]);
    assert!(lines[7].contains("dropped=2"), "{}", lines[7]);
}

#[test]
fn a_long_line_is_cut() {
    let limits = GuestLimits { lines: 3, line_bytes: 10 };
    let lines = logged(Format::Text, || {
        GuestLog::new(1, limits, Redaction::Shown).line(Level::INFO, &[0xff; 1 << 20]);
    });
    assert!(lines[0].len() < 100, "{}", lines[0].len());
}

#[test]
fn a_program_that_has_a_name_is_told_by_it() {
    let say = || {
        let mut guest = GuestLog::new(7, GuestLimits::default(), Redaction::Shown);
        guest.set_program(Some("\x1b[2Jtool\n"));
        guest.line(Level::WARN, b"mind: {} %s\n the gap");
        guest.set_program(None);
        guest.line(Level::WARN, b"who?");
    };
    let lines = logged(Format::Text, say);
    assert_eq!(lines[0], r"\u{1b}[2Jtool\n: warn: mind: {} %s\n the gap");
    assert_eq!(lines[1], " WARN guest: who? vm=7");
    let line: serde_json::Value = serde_json::from_str(&logged(Format::Json, say)[0]).unwrap();
    assert_eq!(line["fields"]["program"], "\x1b[2Jtool\n");
    assert_eq!(line["fields"]["vm"], 7);
}

#[test]
fn it_is_known_which_lines_somebody_wants() {
    assert!(!GuestLog::is_wanted(Level::ERROR), "nobody listens");
    let wanted = |levels: Targets| {
        let subscriber = tracing_subscriber::registry().with(levels);
        let all = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        tracing::subscriber::with_default(subscriber, || all.map(GuestLog::is_wanted))
    };
    let guests = Targets::new().with_target(GUEST, Level::INFO);
    assert_eq!(wanted(guests), [true, true, true, false, false]);
    let others = Targets::new().with_target("wrt_vm", Level::TRACE);
    assert_eq!(wanted(others), [false; 5]);
    assert_eq!(wanted(Targets::new().with_default(Level::TRACE)), [true; 5]);
}

#[test]
fn words_can_be_hidden() {
    let lines = logged(Format::Text, || {
        let mut guest = GuestLog::new(1, GuestLimits::default(), Redaction::Hidden);
        guest.line(Level::INFO, b"secret");
    });
    assert!(lines[0].contains("<6 bytes>") && !lines[0].contains("secret"), "{}", lines[0]);
}

#[test]
fn the_systems_log_takes_messages() {
    if let Some(layer) = system_layer("org.wrt-vm.test") {
        let registry = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(registry, || {
            let activity = LOG.create_activity("test");
            let _entered = activity.enter();
            LOG.default("the suite of wrt-platform runs");
        });
    }
}

//! Traces: what is written is what happened, in a form that viewers take.

use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt as _;
use wrt_platform::trace::{Recorder, TraceFile, file_layer};

/// Runs with a trace, and returns its records.
fn traced(run: impl FnOnce(&Recorder)) -> Vec<Value> {
    let (folder, path, guard, file) = begin();
    run(&Recorder::new("org.wrt-vm.test"));
    drop(guard);
    file.finish().unwrap();
    let records = records(&path);
    drop(folder);
    records
}

fn begin() -> (TempDir, PathBuf, tracing::subscriber::DefaultGuard, TraceFile) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    let (layer, file) = file_layer(File::create(&path).unwrap()).unwrap();
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    (folder, path, guard, file)
}

fn records(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn of<'a>(records: &'a [Value], phase: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["ph"] == phase).collect()
}

#[test]
fn an_interval_begins_and_ends() {
    let records = traced(|recorder| {
        let interval = recorder.begin("load");
        std::thread::sleep(std::time::Duration::from_millis(2));
        interval.end();
    });
    let (begin, end) = (of(&records, "b"), of(&records, "e"));
    assert_eq!((begin.len(), end.len()), (1, 1));
    assert_eq!((&begin[0]["name"], &end[0]["name"]), (&"load".into(), &"load".into()));
    assert_eq!(begin[0]["id"], end[0]["id"]);
    let time = |record: &Value| record["ts"].as_f64().unwrap();
    assert!(time(end[0]) - time(begin[0]) >= 2000.0, "in microseconds");
}

#[test]
fn intervals_of_one_name_may_overlap_and_end_elsewhere() {
    let records = traced(|recorder| {
        let (one, two) = (recorder.begin("run"), recorder.begin("run"));
        assert_ne!(one.id(), two.id());
        std::thread::scope(|scope| scope.spawn(move || drop(one)).join().unwrap());
        two.end();
    });
    let ids = |phase| of(&records, phase).iter().map(|r| r["id"].as_u64()).collect::<Vec<_>>();
    let (begun, ended) = (ids("b"), ids("e"));
    assert_eq!(begun.len(), 2);
    assert_eq!(begun, ended);
    assert_ne!(of(&records, "e")[0]["tid"], of(&records, "e")[1]["tid"]);
}

#[test]
fn a_closure_is_an_interval_even_if_it_panics() {
    let records = traced(|recorder| {
        assert_eq!(recorder.interval("compute", || 42), 42);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            recorder.interval("fail", || std::panic::resume_unwind(Box::new(())));
        }));
        assert!(panicked.is_err());
    });
    for phase in ["B", "E"] {
        let names: Vec<_> = of(&records, phase).iter().map(|r| r["name"].clone()).collect();
        assert_eq!(names, ["compute", "fail"]);
    }
}

#[test]
fn values_are_counters_and_events_are_instants() {
    let records = traced(|recorder| {
        recorder.value("exits", 17.0);
        recorder.value("nothing", f64::NAN);
        recorder.event("compilation starts");
    });
    let counters = of(&records, "C");
    assert_eq!(
        (&counters[0]["name"], &counters[0]["args"]["value"]),
        (&"exits".into(), &17.into())
    );
    assert_eq!(of(&records, "i")[0]["name"], "compilation starts");
}

#[test]
fn text_of_guests_stays_text() {
    let hostile = "\"},{\"ph\":\"i\",\"name\":\"forged\"\n\u{0}\u{1b}]\\";
    let records = traced(|_| {
        tracing::info!(target: "guest", "{hostile}");
        tracing::info_span!(target: "wrt_vm::call", "call", export = hostile).in_scope(|| {});
    });
    assert!(records.iter().all(|record| record["name"] != "forged"));
    assert_eq!(of(&records, "i")[0]["name"], hostile);
    assert_eq!(of(&records, "B")[0]["args"]["export"], hostile);
}

#[test]
fn what_is_not_ours_is_left_out() {
    let records = traced(|_| {
        tracing::info!(target: "hyper", "theirs");
        tracing::info!(target: "wrt_vm", "ours");
    });
    assert_eq!(of(&records, "i").len(), 1);
}

#[test]
fn the_process_and_its_threads_are_named() {
    let records = traced(|recorder| recorder.event("here"));
    let named = of(&records, "M");
    let [process, thread] = named[..] else { panic!("{named:?}") };
    let program = std::env::current_exe().unwrap();
    let program = program.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        (&process["name"], &process["args"]["name"]),
        (&"process_name".into(), &program.into())
    );
    assert_eq!(thread["args"]["name"], std::thread::current().name().unwrap());
    assert_eq!(thread["tid"], of(&records, "i")[0]["tid"]);
    // Which is the main thread's.
    assert_ne!(thread["tid"], process["pid"]);
}

const EXIT: &str = "WRT_TRACE_EXIT";

#[test]
fn an_exit_keeps_the_trace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "trace::exits", "--nocapture"])
        .env(EXIT, &path)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
    assert_eq!(of(&records(&path), "i")[0]["name"], "the last words");
}

/// The process of the test above; nothing when it is run as a test.
#[test]
fn exits() {
    let Some(path) = std::env::var_os(EXIT) else { return };
    let (layer, file) = file_layer(File::create(path).unwrap()).unwrap();
    std::mem::forget(file);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    Recorder::new("org.wrt-vm.test").event("the last words");
    std::process::exit(7);
}

#[cfg(target_os = "linux")]
#[test]
fn probes_are_in_the_program() {
    // `.note.stapsdt`: provider and name, each with its NUL.
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    for name in ["begin", "end", "event", "value"] {
        let note = format!("wrt\0{name}\0");
        assert!(program.windows(note.len()).any(|bytes| bytes == note.as_bytes()), "{name}");
    }
}

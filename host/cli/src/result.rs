//! `run --result json`: how a program ended, as an object for programs.
//!
//! The object is one line, written when the program is over. Fields may be added; those that are
//! here keep their meaning. What is not known is `null`, so that every field is always there.

use super::module::STREAM;
use super::run::Run;
use super::{say, version};
use anyhow::{Context as _, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use wrt_platform::files::create;
use wrt_platform::stdio::write_all_bounded;
use wrt_platform::text::{Line, harmless_json};
use wrt_vm::engine::Setup;
use wrt_vm::error::{Interruption, Trap, TrapKind};
use wrt_vm::vm::Usage;
use wrt_vm::{Error, Report};

/// What `--result` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Standard error, unless there is one.
    file: Option<PathBuf>,
}

impl Wanted {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "json" => Ok(Self { file: None }),
            Some(("json", "")) => Err("the file has no name: json:FILE".to_owned()),
            Some(("json", file)) => Ok(Self { file: Some(file.into()) }),
            _ => Err("the only format is `json`: write json, or json:FILE".to_owned()),
        }
    }

    /// Opens what the results go to, a pipe within this time. Before anything runs: a jail lets
    /// nothing be opened.
    pub(super) fn open(&self, limit: Duration) -> Result<Results> {
        let open = |path: &Path| match path == Path::new(STREAM) {
            true => std::io::stdout().as_fd().try_clone_to_owned().map(File::from),
            false => create(path, limit),
        };
        let file = self.file.as_deref().map(|path| open(path).with_context(|| cannot_write(path)));
        Ok(Results { file: file.transpose()?.map(Mutex::new), path: self.file.clone() })
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the result to {}", Line(path.display()))
}

/// Where results go.
pub(super) struct Results {
    /// Standard error, unless there is one.
    file: Option<Mutex<File>>,
    path: Option<PathBuf>,
}

impl Results {
    /// Writes an object, in one piece. Where there is a time limit, a pipe that is not read is not
    /// waited for longer than standard error.
    pub(super) fn write(&self, outcome: &Outcome) -> Result<()> {
        let line = harmless_json(&serde_json::to_string(outcome)?) + "\n";
        let Some(file) = &self.file else {
            // As with everything that this program says.
            say::print(&line);
            return Ok(());
        };
        let file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.path.as_deref().unwrap_or_else(|| Path::new(""));
        write_all_bounded(file.as_fd(), line.as_bytes()).with_context(|| cannot_write(path))
    }
}

/// How a program ended, and what it used.
#[derive(Serialize)]
pub(super) struct Outcome {
    /// Of wrt-vm.
    version: &'static str,
    /// The module, as it was named.
    module: String,
    /// Which of several programs, from 0 on, in the order in which they were named.
    index: Option<usize>,
    ended: Ended,
    /// The exit code of `wrt-vm run`, were this its only program.
    exit_code: u8,
    /// What the program passed to `proc_exit`.
    program_code: Option<i32>,
    error: Option<Failure>,
    trap: Option<TrapReport>,
    limits: Limits,
    usage: Option<UsageReport>,
    /// Seconds that each step took.
    seconds: BTreeMap<&'static str, f64>,
    engine: Option<&'static str>,
    why_engine: Option<&'static str>,
    backend: Option<&'static str>,
    boundary: Option<String>,
    jail: Option<String>,
}

/// In which way a program ended.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Ended {
    /// It came to its end.
    Returned,
    /// It called `proc_exit`.
    Exited,
    /// It trapped.
    Trapped,
    /// `--timeout`.
    TimedOut,
    /// `--max-output`.
    OutputLimit,
    /// It was ended from outside.
    Cancelled,
    /// Its VM ended, or it never ran.
    Failed,
}

#[derive(Serialize)]
struct Failure {
    /// Which error of the library it is, in kebab-case.
    kind: &'static str,
    /// What standard error says, too.
    message: String,
}

#[derive(Serialize)]
struct TrapReport {
    kind: &'static str,
    message: String,
    /// Innermost first; not more than a message shows.
    backtrace: Vec<FrameReport>,
    /// How many calls were live in all.
    depth: Option<u32>,
}

#[derive(Serialize)]
struct FrameReport {
    module: u32,
    function: u32,
    /// Where in the module's bytes, if that is known.
    offset: Option<u32>,
    name: Option<String>,
}

/// What the program was allowed, and what of it it ran into.
#[derive(Serialize)]
struct Limits {
    timeout_seconds: Option<f64>,
    timeout_reached: bool,
    max_memory_bytes: u64,
    /// Whether it wanted more at some time, whatever it did then.
    memory_refused: bool,
    /// Of it, whether the system had none left, within the limit.
    system_out_of_memory: bool,
    max_output_bytes: Option<u64>,
    output_reached: bool,
}

#[derive(Serialize)]
struct UsageReport {
    exits: BTreeMap<&'static str, u64>,
    guest_peak_bytes: u64,
    guest_code_bytes: u64,
    boot_seconds: f64,
}

impl From<&Usage> for UsageReport {
    fn from(usage: &Usage) -> Self {
        let exits = &usage.exits;
        Self {
            exits: exits.kinds().chain([("total", exits.total())]).collect(),
            guest_peak_bytes: usage.peak,
            guest_code_bytes: usage.executable,
            boot_seconds: usage.boot.as_secs_f64(),
        }
    }
}

impl From<&Trap> for TrapReport {
    fn from(trap: &Trap) -> Self {
        let frame = |frame: &wrt_vm::error::Frame| FrameReport {
            module: frame.module,
            function: frame.function,
            offset: frame.offset,
            name: frame.name.clone(),
        };
        Self {
            kind: trap_kind(trap.kind),
            message: match trap.message.as_str() {
                "" => trap.kind.message().to_owned(),
                message => message.to_owned(),
            },
            backtrace: trap.frames.iter().map(frame).collect(),
            depth: trap.depth,
        }
    }
}

impl Outcome {
    /// What came of a run that ended with `exit_code`.
    pub(super) fn new(run: &Run, report: &Report, exit_code: u8) -> Self {
        let error = report.ended.as_ref().err();
        let ended = match &report.ended {
            Ok(wrt_vm::Ended::Returned) => Ended::Returned,
            Ok(wrt_vm::Ended::Exited(_)) => Ended::Exited,
            Err(Error::Trap(_)) => Ended::Trapped,
            Err(Error::Interrupted(Interruption::TimedOut)) => Ended::TimedOut,
            Err(Error::Interrupted(Interruption::Cancelled)) => Ended::Cancelled,
            Err(Error::OutputLimit { .. }) => Ended::OutputLimit,
            Err(_) => Ended::Failed,
        };
        let (engine, why_engine, backend, boundary) = match &report.setup {
            Some(Setup { backend, boundary, engine, why, .. }) => {
                (Some(engine.name()), Some(*why), Some(*backend), Some(boundary.clone()))
            }
            None => (None, None, None, None),
        };
        let steps = report.steps.iter().map(|(name, time)| (*name, time.as_secs_f64()));
        Self {
            version: version::SHORT,
            module: run.name(),
            index: run.index(),
            ended,
            exit_code,
            program_code: match report.ended {
                Ok(wrt_vm::Ended::Exited(code)) => Some(code),
                _ => None,
            },
            error: error.map(|error| Failure {
                kind: error_kind(error),
                message: wrt_platform::text::Lines(error).to_string(),
            }),
            trap: match error {
                Some(Error::Trap(trap)) => Some(trap.into()),
                _ => None,
            },
            limits: Limits {
                timeout_seconds: run.timeout.map(|timeout| timeout.as_secs_f64()),
                timeout_reached: matches!(ended, Ended::TimedOut),
                max_memory_bytes: run.limits().max_memory,
                memory_refused: report.was_refused_memory(),
                system_out_of_memory: report.lacked_memory(),
                max_output_bytes: run.max_output(),
                output_reached: matches!(ended, Ended::OutputLimit),
            },
            usage: report.usage.as_ref().map(UsageReport::from),
            seconds: steps.collect(),
            engine,
            why_engine,
            backend,
            boundary,
            jail: report.jail.clone(),
        }
    }
}

/// The name of an error, for programs.
fn error_kind(error: &Error) -> &'static str {
    match error {
        Error::Hypervisor(_) => "hypervisor",
        Error::Memory(_) => "memory",
        Error::Thread(_) => "thread",
        Error::OutOfDescriptors(_) => "out-of-descriptors",
        Error::Jail(_) => "jail",
        Error::Read { .. } => "read",
        Error::NotWasm(_) => "not-wasm",
        Error::InvalidModule { .. } => "invalid-module",
        Error::Unsupported { .. } => "unsupported",
        Error::UnusableArtifact(_) => "unusable-artifact",
        Error::CannotCompile { .. } => "cannot-compile",
        Error::CannotInterpret(_) => "cannot-interpret",
        Error::Cache { .. } => "cache",
        Error::Unlinkable { .. } => "unlinkable",
        Error::MemoryLimit { .. } => "memory-limit",
        Error::OutputLimit { .. } => "output-limit",
        Error::NoSuchExport(_) => "no-such-export",
        Error::Component(_) => "component",
        Error::TypeMismatch(_) => "type-mismatch",
        Error::Trap(_) => "trap",
        Error::Exit(_) => "exit",
        Error::Interrupted(Interruption::TimedOut) => "timed-out",
        Error::Interrupted(Interruption::Cancelled) => "cancelled",
        Error::Ended(_) => "vm-ended",
        Error::Wasi(_) => "wasi",
        Error::Setting(_) => "setting",
        Error::Engine(_) => "engine",
        Error::WrongHandle => "wrong-handle",
        Error::OutOfRange { .. } => "out-of-range",
        Error::TooLong(_) => "too-long",
        Error::Snapshot(_) => "snapshot",
        Error::Worker(_) => "worker",
        Error::Failed(_) => "failed",
        Error::NotAProgram { .. } => "not-a-program",
        Error::Pressure => "pressure",
        _ => "other",
    }
}

/// The name of a trap, for programs.
fn trap_kind(kind: TrapKind) -> &'static str {
    match kind {
        TrapKind::Unreachable => "unreachable",
        TrapKind::MemoryOutOfBounds => "memory-out-of-bounds",
        TrapKind::TableOutOfBounds => "table-out-of-bounds",
        TrapKind::IndirectCallToNull => "indirect-call-to-null",
        TrapKind::IntegerDivisionByZero => "integer-division-by-zero",
        TrapKind::IntegerOverflow => "integer-overflow",
        TrapKind::BadConversionToInteger => "bad-conversion-to-integer",
        TrapKind::StackOverflow => "stack-overflow",
        TrapKind::BadSignature => "bad-signature",
        TrapKind::OutOfMemory => "out-of-memory",
        TrapKind::Host => "host",
        TrapKind::NullReference => "null-reference",
        TrapKind::ArrayOutOfBounds => "array-out-of-bounds",
        TrapKind::AllocationTooLarge => "allocation-too-large",
        TrapKind::CastFailure => "cast-failure",
        TrapKind::UncaughtException => "uncaught-exception",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_results() {
        let file = |text| Wanted::parse(text).map(|wanted| wanted.file);
        assert_eq!(file("json"), Ok(None));
        assert_eq!(file("json:a:b"), Ok(Some("a:b".into())));
        for text in ["", "json:", "xml", "xml:a", "file"] {
            assert!(file(text).is_err(), "{text}");
        }
    }
}

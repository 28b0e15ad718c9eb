//! `wrt-vm run --jobs N`: several programs at the same time.

use super::code;
use super::module::STREAM;
use super::result::{self, Results};
use super::run::Run;
use super::say::{self, complain};
use super::stats::{figures, members, table as table_of};
use super::{log, termination};
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_platform::log::Format;
use wrt_platform::text::Line;
use wrt_vm::Report;
use wrt_vm::cache::CacheCounts;
use wrt_vm::engine::{CompilerCounts, Counts, QosClass};
use wrt_vm::pool::PoolCounts;

/// What `--qos` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Qos {
    /// Nobody waits for it
    Background,
    /// It takes long, and somebody looks now and then
    Utility,
    /// None of the others
    Default,
    /// Somebody asked for it and waits
    UserInitiated,
    /// Somebody sees each delay
    UserInteractive,
}

impl From<Qos> for QosClass {
    fn from(qos: Qos) -> Self {
        match qos {
            Qos::Background => Self::Background,
            Qos::Utility => Self::Utility,
            Qos::Default => Self::Default,
            Qos::UserInitiated => Self::UserInitiated,
            Qos::UserInteractive => Self::UserInteractive,
        }
    }
}

/// How one program ended.
struct Outcome {
    code: u8,
    stats: Option<Stats>,
}

/// What `--stats` tells of a program.
struct Stats {
    table: String,
    figures: Map<String, Value>,
}

/// Runs the programs that the command line names.
pub(super) fn run(options: &Run, results: Option<Results>) -> ExitCode {
    // Behind the first module everything is a module: an option there is a mistake.
    let is_option = |word: &&String| word.starts_with('-') && word.len() > 1;
    if let Some(option) = options.program.iter().find(is_option).map(Line) {
        complain(format_args!(
            "`{option}` is among the modules: with --jobs, options go before the first one \
             (a file of that name is ./{option})"
        ));
        return ExitCode::from(code::USAGE);
    }
    if options.program.iter().filter(|word| *word == STREAM).count() > 1 {
        complain("standard input cannot be several modules: `-` can be one of them");
        return ExitCode::from(code::USAGE);
    }
    match options.programs().and_then(|programs| run_all(options, programs, results)) {
        Ok(outcomes) => finish(options, &outcomes),
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::from(code::FAILED)
        }
    }
}

/// How a program ended, once it has.
type Pending = Arc<Mutex<Option<Outcome>>>;

/// What came of the programs.
struct Outcomes {
    each: Vec<(Arc<Run>, Pending)>,
    counts: Counts,
}

fn run_all(
    options: &Run,
    programs: Vec<Run>,
    results: Option<Results>,
) -> anyhow::Result<Outcomes> {
    let engine = options.open(programs.len())?;
    termination::ends(&engine);
    termination::listen();
    let results = results.map(Arc::new);
    let mut each = Vec::new();
    let count = programs.len();
    for (number, program) in programs.into_iter().enumerate() {
        let (program, outcome) = (Arc::new(program), Pending::default());
        each.push((Arc::clone(&program), Arc::clone(&outcome)));
        let (run, results) = (Arc::clone(&program), results.clone());
        engine.submit(program.program(None, None), count - number - 1, move |report| {
            let code = conclude(&run, &report, results.as_deref());
            let stats = || Stats { table: table_of(&report), figures: figures(&report) };
            *lock(&outcome) = Some(Outcome { code, stats: run.stats.then(stats) });
        });
    }
    engine.wait();
    Ok(Outcomes { each, counts: engine.counts() })
}

/// Says how a program ended, in all ways that are wanted; returns its exit code.
fn conclude(program: &Run, report: &Report, results: Option<&Results>) -> u8 {
    let code = program.report(report);
    program.report_memory(code, report);
    let Some(results) = results else { return code };
    match results.write(&result::Outcome::new(program, report, code)) {
        Ok(()) => code,
        Err(error) => {
            complain(format_args!("{error:#}"));
            code::FAILED
        }
    }
}

/// Prints what was counted; returns the code of the first program that failed.
fn finish(options: &Run, outcomes: &Outcomes) -> ExitCode {
    let (mut failed, mut each) = (None, Vec::new());
    for (program, outcome) in &outcomes.each {
        // The engine has said of each how it ended.
        let Some(Outcome { code, stats }) = lock(outcome).take() else { continue };
        if code != 0 {
            failed.get_or_insert(code);
        }
        each.push((program.name(), code, stats));
    }
    if options.stats {
        say::print(&match log::format() {
            Format::Text => table(&each, &outcomes.counts),
            Format::Json => objects(&each, &outcomes.counts),
        });
    }
    ExitCode::from(failed.unwrap_or(0))
}

/// A program's module, its exit code, and what it used.
type Each = (String, u8, Option<Stats>);

/// What was counted, for people.
fn table(each: &[Each], counts: &Counts) -> String {
    let mut table = String::new();
    for (module, code, stats) in each {
        table += &format!("{module}: exit code {code}\n");
        table += stats.as_ref().map_or("", |stats| &stats.table);
    }
    table += &format!("{:<14}{:>12}\n", "programs", each.len());
    table += &format!("{:<14}{:>12}\n", "ran at once", counts.at_once);
    let PoolCounts { ready, made, shed } = counts.ahead;
    table += &format!(
        "{:<14}{ready:>12}  (made ahead; {made} made when wanted, {shed} given up)\n",
        "VMs ready"
    );
    let CompilerCounts { modules, made, .. } = counts.compilers;
    if modules > 0 {
        table += &format!(
            "{:<14}{modules:>12}  (compilers: {made}; from its third module on, each goes on \
             from a snapshot of itself)\n",
            "compiled"
        );
    }
    let CacheCounts { files, memory, purged } = counts.cache;
    if files + memory > 0 {
        table += &format!(
            "{:<14}{:>12}  (in the cache's files {files}, in memory {memory}; {purged} taken \
             by the system before)\n",
            "code found",
            files + memory
        );
    }
    table
}

/// What was counted, for programs: an object for each program, and one for all.
fn objects(each: &[Each], counts: &Counts) -> String {
    let mut lines = String::new();
    for (module, code, stats) in each {
        let mut figures = stats.as_ref().map(|stats| stats.figures.clone()).unwrap_or_default();
        figures.insert("program".to_owned(), json!(module));
        figures.insert("exit_code".to_owned(), json!(code));
        lines += &log::figures("stats", &members(&figures));
    }
    let Counts { ahead, compilers, cache: code, .. } = *counts;
    let all = json!({
        "programs": each.len(),
        "ran_at_once": counts.at_once,
        "vms": { "ready": ahead.ready, "made": ahead.made, "shed": ahead.shed },
        "compiled": { "modules": compilers.modules, "compilers": compilers.made },
        "code_found": { "files": code.files, "memory": code.memory, "purged": code.purged },
    });
    if let Value::Object(all) = all {
        lines += &log::figures("stats of all programs", &members(&all));
    }
    lines
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

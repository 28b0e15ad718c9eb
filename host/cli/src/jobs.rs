//! `wrt-vm run --jobs N`: several programs at the same time.
//!
//! The main thread takes a permit for each program and submits it to a concurrent queue of the
//! system. A job reads, compiles and runs its program on one thread, and settles its
//! [`Ticket`]. One that the system does not give back from a call is settled in its stead when its
//! time is over: the others, and the process, do not wait for it.

use super::admission::Gate;
use super::code;
use super::compilers::CompilerCounts;
use super::result::{self, Results};
use super::run::{Ending, GRACE, Host, Run};
use super::say::{self, complain};
use super::stats::{Timeline, members};
use super::{log, termination};
use anyhow::anyhow;
use serde_json::{Map, Value, json};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_platform::citizen::Kind;
use wrt_platform::dispatch::{Entry, Group, QosClass, Queue, Semaphore};
use wrt_platform::log::Format;
use wrt_platform::pressure::{PressureLevel, PressureMonitor, current_level};
use wrt_platform::text::Line;
use wrt_vm::{Cache, CacheCounts, Error, Interruption, Pool, PoolCounts};

/// The most programs at a time: each takes a thread, of which a queue gets so many at least on
/// every system.
pub(super) const MAX: i64 = 64;

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

impl Qos {
    /// What the system is told of a program that is so urgent.
    pub(super) fn activity(self) -> Kind {
        match self {
            Self::Background | Self::Utility => Kind::Background,
            Self::Default | Self::UserInitiated => Kind::UserInitiated,
            Self::UserInteractive => Kind::LatencyCritical,
        }
    }
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

/// What all jobs share.
struct Shared {
    host: Host,
    results: Option<Results>,
    permits: Semaphore,
    /// None with `--ignore-pressure`.
    gate: Option<Gate>,
    running: AtomicUsize,
    /// How many ran at once, at most.
    most: AtomicUsize,
}

impl Shared {
    /// Says how a program ended, in all ways that are wanted; returns its exit code.
    fn conclude(&self, program: &Run, result: &anyhow::Result<Ending>, timeline: &Timeline) -> u8 {
        let code = program.report(result);
        program.report_memory(code, timeline);
        let Some(results) = &self.results else { return code };
        match results.write(&result::Outcome::new(program, result, code, timeline)) {
            Ok(()) => code,
            Err(error) => {
                complain(format_args!("{error:#}"));
                code::FAILED
            }
        }
    }
}

/// How one program ended.
#[derive(Default)]
struct Outcome {
    code: Option<u8>,
    stats: Option<Stats>,
}

/// What `--stats` tells of a program.
struct Stats {
    table: String,
    figures: Map<String, Value>,
}

/// What a job holds while it is not settled: its places in the group and at the gate, its permit.
struct Ticket {
    shared: Arc<Shared>,
    outcome: Arc<Mutex<Outcome>>,
    /// None when it is settled.
    entry: Mutex<Option<Entry>>,
}

impl Ticket {
    /// Settles the job by what `outcome` says, unless that was done: `outcome` is not asked then.
    fn settle(&self, outcome: impl FnOnce() -> Outcome) {
        let mut entry = lock(&self.entry);
        if entry.is_none() {
            return;
        }
        *lock(&self.outcome) = outcome();
        if let Some(gate) = &self.shared.gate {
            gate.leave();
        }
        self.shared.permits.signal();
        // Last: who waits for the group looks at the outcome.
        *entry = None;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The job was not run, or panicked.
        self.settle(Outcome::default);
    }
}

/// Runs the programs that the command line names, `jobs` at a time at most.
pub(super) fn run(options: &Run, jobs: u32, results: Option<Results>) -> ExitCode {
    // Behind the first module everything is a module: an option there is a mistake.
    let is_option = |word: &&String| word.starts_with('-') && word.len() > 1;
    if let Some(option) = options.program.iter().find(is_option).map(Line) {
        complain(format_args!(
            "`{option}` is among the modules: with --jobs, options go before the first one \
             (a file of that name is ./{option})"
        ));
        return ExitCode::from(code::USAGE);
    }
    match options.programs().and_then(|programs| run_all(options, programs, jobs, results)) {
        Ok(outcomes) => finish(options, &outcomes),
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::from(code::FAILED)
        }
    }
}

/// What came of the programs, and how many ran at once.
struct Outcomes {
    each: Vec<(Arc<Run>, Arc<Mutex<Outcome>>)>,
    shared: Arc<Shared>,
    most: usize,
    ahead: PoolCounts,
    compilers: CompilerCounts,
    code: CacheCounts,
}

fn run_all(
    options: &Run,
    programs: Vec<Run>,
    jobs: u32,
    results: Option<Results>,
) -> anyhow::Result<Outcomes> {
    termination::listen();
    let queue =
        Queue::create("wrt-vm.jobs").with_qos(options.qos.into()).with_concurrent(true).build()?;
    let mut host = options.open()?;
    let at_once = usize::try_from(jobs)?;
    host.pool = Some(options.pool(&host, at_once.min(programs.len())));
    let shared = Arc::new(Shared {
        host,
        results,
        permits: Semaphore::new(jobs),
        gate: (!options.ignore_pressure).then(|| Gate::new(current_level)),
        running: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
    });
    let _monitor = shared.gate.is_some().then(|| watch(&shared));
    let group = Group::new();
    let mut each = Vec::new();
    let count = programs.len();
    for (number, program) in programs.into_iter().enumerate() {
        let (program, outcome) = (Arc::new(program), Arc::<Mutex<Outcome>>::default());
        each.push((Arc::clone(&program), Arc::clone(&outcome)));
        shared.permits.wait();
        if wrt_platform::signal::termination().is_some() {
            // It is not begun any more.
            shared.permits.signal();
            let cancelled = Err(Error::Interrupted(Interruption::Cancelled).into());
            let code = shared.conclude(&program, &cancelled, &Timeline::start());
            lock(&outcome).code = Some(code);
            continue;
        }
        let level = match shared.gate.as_ref().map(Gate::enter).transpose() {
            Ok(level) => level,
            Err(error) => {
                shared.permits.signal();
                let code = shared.conclude(&program, &Err(error), &Timeline::start());
                lock(&outcome).code = Some(code);
                continue;
            }
        };
        if let Some(pool) = &shared.host.pool {
            match level.unwrap_or_default() {
                // Not more than there are programs to come, this one included.
                PressureLevel::Normal => pool.keep(at_once.min(count - number)),
                // None is begun that would be given up at once.
                short => shared.host.relieve(short),
            }
        }
        let entry = Mutex::new(Some(group.entry()));
        let ticket = Arc::new(Ticket { shared: Arc::clone(&shared), outcome, entry });
        let name = program.name();
        if let Err(error) = queue.exec_async(move || job(&program, &ticket, level)) {
            complain(format_args!("{name}: {error}"));
        }
    }
    group.wait();
    shared.host.writes.wait();
    let ahead = shared.host.pool.as_ref().map(Pool::counts).unwrap_or_default();
    let (most, compilers) = (shared.most.load(Ordering::Relaxed), shared.host.compilers.counts());
    let code = shared.host.cache.as_ref().map(Cache::counts).unwrap_or_default();
    Ok(Outcomes { each, shared, most, ahead, compilers, code })
}

/// Has the gate looked at again when the pressure changes, and the level known at any time.
fn watch(shared: &Arc<Shared>) -> PressureMonitor {
    let monitor = PressureMonitor::new();
    let waiting = Arc::downgrade(shared);
    monitor.on_pressure(move |level| {
        let Some(shared) = waiting.upgrade() else { return };
        shared.host.relieve(level);
        if let Some(gate) = &shared.gate {
            gate.look_again();
        }
    });
    if let Err(error) = monitor.start() {
        // The gate asks now and then by itself.
        tracing::warn!("{error}");
    }
    monitor
}

/// One program from its file to its end.
fn job(program: &Arc<Run>, ticket: &Arc<Ticket>, level: Option<PressureLevel>) {
    let shared = &ticket.shared;
    shared.most.fetch_max(shared.running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
    let deadline = program.deadline();
    end_by_force(program, ticket);
    let mut timeline = Timeline::start();
    if let Some(level) = level {
        timeline.admitted(level);
    }
    let result = program
        .read(&mut timeline)
        .and_then(|module| program.run_on(&shared.host, module, deadline, &mut timeline));
    shared.running.fetch_sub(1, Ordering::Relaxed);
    ticket.settle(|| {
        let code = shared.conclude(program, &result, &timeline);
        let stats = || Stats { table: timeline.table(), figures: timeline.figures() };
        Outcome { code: Some(code), stats: program.stats.then(stats) }
    });
}

/// Settles the job some time after its timeout, should a host call hang.
fn end_by_force(program: &Arc<Run>, ticket: &Arc<Ticket>) {
    let Some(timeout) = program.timeout else { return };
    let (program, ticket) = (Arc::clone(program), Arc::downgrade(ticket));
    let overdue = move || {
        if let Some(ticket) = ticket.upgrade() {
            let timed_out = Err(Error::Interrupted(Interruption::TimedOut).into());
            ticket.settle(|| Outcome {
                code: Some(ticket.shared.conclude(&program, &timed_out, &Timeline::start())),
                stats: None,
            });
        }
    };
    // Should there be no thread for it, the VM's own deadline still holds.
    let _ = Queue::global(QosClass::UserInitiated).after(timeout.saturating_add(GRACE), overdue);
}

/// Prints what was counted; returns the code of the first program that failed.
fn finish(options: &Run, outcomes: &Outcomes) -> ExitCode {
    let (mut failed, mut each) = (None, Vec::new());
    for (program, outcome) in &outcomes.each {
        let mut outcome = lock(outcome);
        let code = outcome.code.unwrap_or_else(|| {
            let lost = Err(anyhow!("it could not be run to its end"));
            outcomes.shared.conclude(program, &lost, &Timeline::start())
        });
        if code != 0 {
            failed.get_or_insert(code);
        }
        each.push((program.name(), code, outcome.stats.take()));
    }
    if options.stats {
        say::print(&match log::format() {
            Format::Text => table(&each, outcomes),
            Format::Json => objects(&each, outcomes),
        });
    }
    ExitCode::from(failed.unwrap_or(0))
}

/// A program's module, its exit code, and what it used.
type Each = (String, u8, Option<Stats>);

/// What was counted, for people.
fn table(each: &[Each], outcomes: &Outcomes) -> String {
    let mut table = String::new();
    for (module, code, stats) in each {
        table += &format!("{module}: exit code {code}\n");
        table += stats.as_ref().map_or("", |stats| &stats.table);
    }
    table += &format!("{:<14}{:>12}\n", "programs", each.len());
    table += &format!("{:<14}{:>12}\n", "ran at once", outcomes.most);
    let PoolCounts { ready, made, shed } = outcomes.ahead;
    table += &format!(
        "{:<14}{ready:>12}  (made ahead; {made} made when wanted, {shed} given up)\n",
        "VMs ready"
    );
    let CompilerCounts { modules, made } = outcomes.compilers;
    if modules > 0 {
        table += &format!(
            "{:<14}{modules:>12}  (compilers: {made}; from its third module on, each goes on \
             from a snapshot of itself)\n",
            "compiled"
        );
    }
    let CacheCounts { files, memory, purged } = outcomes.code;
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
fn objects(each: &[Each], outcomes: &Outcomes) -> String {
    let mut lines = String::new();
    for (module, code, stats) in each {
        let mut figures = stats.as_ref().map(|stats| stats.figures.clone()).unwrap_or_default();
        figures.insert("program".to_owned(), json!(module));
        figures.insert("exit_code".to_owned(), json!(code));
        lines += &log::figures("stats", &members(&figures));
    }
    let (ahead, compilers, code) = (outcomes.ahead, outcomes.compilers, outcomes.code);
    let all = json!({
        "programs": each.len(),
        "ran_at_once": outcomes.most,
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

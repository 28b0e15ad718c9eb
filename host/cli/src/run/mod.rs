//! `wrt-vm run`: run a program.

mod engine;
mod explain;
mod options;
mod words;
mod world;

pub(super) use explain::{warn_of_a_weak_jail, warn_of_no_jail};
pub(super) use options::{Directory, Run};
pub(super) use words::Words;

use super::result::{Outcome, Results};
use super::say::{self, complain};
use super::{code, jobs, log, stats, termination};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_platform::descriptors::Inherited;
use wrt_platform::stdio::be_impatient;

/// How much later than `--timeout` the process ends by force, should a host call hang.
const GRACE: Duration = Duration::from_secs(2);

/// How long the end of a run with `--timeout` waits for a standard error that is not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a named pipe for results or a trace is waited for until a process reads it.
const READER: Duration = Duration::from_secs(30);

impl Run {
    /// `inherited` is what the module may be read from, and nobody else shall have.
    pub(super) fn execute(self, inherited: Option<Inherited>) -> ExitCode {
        say::be_quiet(self.quiet);
        let failed = |error| {
            complain(format_args!("{error:#}"));
            ExitCode::from(code::FAILED)
        };
        if let Some(timeout) = self.timeout {
            // Also before there is a VM: a trace can be a pipe that nothing opens.
            be_impatient(PATIENCE);
            if self.jobs.is_none() {
                end_by_force(timeout);
            }
        }
        if self.batch.is_some() {
            // Its programs may have times of their own.
            be_impatient(PATIENCE);
        }
        let limit = self.timeout.map_or(READER, |timeout| timeout.min(READER));
        let results = match self.result.as_ref().map(|to| to.open(limit)).transpose() {
            Ok(results) => results,
            Err(error) => return failed(error),
        };
        let trace = self.trace.as_deref().map(|path| (path, limit));
        match log::install(self.log, self.verbose, trace) {
            Ok(None) => self.execute_watched(inherited, results),
            Ok(Some(trace)) => {
                let code = self.execute_watched(inherited, results);
                match trace.finish() {
                    // How the program failed tells more.
                    Err(error) if code != ExitCode::SUCCESS => {
                        complain(format_args!("{error:#}"));
                        code
                    }
                    Err(error) => failed(error),
                    Ok(()) => code,
                }
            }
            Err(error) => failed(error),
        }
    }

    fn execute_watched(self, inherited: Option<Inherited>, results: Option<Results>) -> ExitCode {
        if let Err(error) = wrt_platform::signal::exit_on_termination() {
            complain(format_args!("cannot handle Ctrl-C: {error}"));
        }
        match self.no_jail {
            true => warn_of_no_jail(),
            false => warn_of_a_weak_jail(),
        }
        if self.jobs.is_some() {
            return jobs::run(&self, results);
        }
        let run = Arc::new(self);
        let engine = match run.open(1) {
            Ok(engine) => engine,
            Err(error) => {
                complain(format_args!("{error:#}"));
                return ExitCode::from(code::FAILED);
            }
        };
        termination::ends(&engine);
        let end = run.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let program = run.program(inherited, end);
        let report = if run.worker {
            let report = engine.run(program);
            // What was compiled is being written.
            engine.wait();
            report
        } else {
            engine.run_for_good(program)
        };
        let code = run.report(&report);
        run.report_memory(code, &report);
        if run.stats {
            stats::print(&report);
        }
        let written = results.map(|to| to.write(&Outcome::new(&run, &report, code)));
        match written.transpose() {
            Ok(_) => ExitCode::from(code),
            Err(error) => {
                complain(format_args!("{error:#}"));
                ExitCode::from(code::FAILED)
            }
        }
    }
}

/// Ends the process some time after the timeout: a host call that the system does not give
/// back (a read from a dead network file system) cannot be interrupted otherwise.
fn end_by_force(timeout: Duration) {
    let (time, line) = (timeout.saturating_add(GRACE), say::line(explain::timed_out(timeout)));
    // Should there be no timer for it, the VM's own deadline still holds.
    let _ = wrt_platform::signal::exit_after(time, &line, code::TIMED_OUT);
}

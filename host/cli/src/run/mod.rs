//! `wrt-vm run`: run a program.

mod explain;
mod host;
mod options;
mod running;
mod world;

pub(super) use explain::{warn_of_a_weak_jail, warn_of_no_jail};
pub(super) use host::Host;
pub(super) use options::{Directory, Run};
pub(super) use running::Ending;

use super::result::{Outcome, Results};
use super::say::{self, complain};
use super::stats::Timeline;
use super::{admission, code, jobs, log};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wrt_platform::descriptors::Inherited;
use wrt_platform::pressure::PressureLevel;
use wrt_platform::stdio::be_impatient;
use wrt_vm::Module;

/// How much later than `--timeout` the process ends by force, should a host call hang.
pub(super) const GRACE: Duration = Duration::from_secs(2);

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

    fn execute_watched(&self, inherited: Option<Inherited>, results: Option<Results>) -> ExitCode {
        if let Err(error) = wrt_platform::signal::exit_on_termination() {
            complain(format_args!("cannot handle Ctrl-C: {error}"));
        }
        match self.no_jail {
            true => warn_of_no_jail(),
            false => warn_of_a_weak_jail(),
        }
        if let Some(jobs) = self.jobs {
            return jobs::run(self, jobs, results);
        }
        let mut timeline = Timeline::start();
        let deadline = self.deadline();
        let result =
            self.admit(&mut timeline).and_then(|()| self.read(&mut timeline)).and_then(|module| {
                drop(inherited);
                self.run(module, deadline, &mut timeline)
            });
        let code = self.report(&result);
        self.report_memory(code, &timeline);
        if self.stats {
            timeline.print();
        }
        let written = results.map(|to| to.write(&Outcome::new(self, &result, code, &timeline)));
        match written.transpose() {
            Ok(_) => ExitCode::from(code),
            Err(error) => {
                complain(format_args!("{error:#}"));
                ExitCode::from(code::FAILED)
            }
        }
    }

    /// When a program that begins now has to be done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| Instant::now() + timeout)
    }

    /// Looks whether there is memory for one more VM: at a glance, since a whole run may take no
    /// longer than to find out all there is to know.
    fn admit(&self, timeline: &mut Timeline) -> anyhow::Result<()> {
        if self.ignore_pressure {
            return Ok(());
        }
        let level = wrt_platform::pressure::level_at_a_glance();
        timeline.admitted(level);
        match level {
            PressureLevel::Critical => Err(admission::refused()),
            _ => Ok(()),
        }
    }

    fn run(
        &self,
        module: Module,
        deadline: Option<Instant>,
        timeline: &mut Timeline,
    ) -> anyhow::Result<Ending> {
        let host = self.open()?;
        let ended = self.run_on(&host, module, deadline, timeline);
        host.writes.wait();
        ended
    }
}

/// Ends the process some time after the timeout: a host call that the system does not give
/// back (a read from a dead network file system) cannot be interrupted otherwise.
fn end_by_force(timeout: Duration) {
    let (time, line) = (timeout.saturating_add(GRACE), say::line(explain::timed_out(timeout)));
    // Should there be no timer for it, the VM's own deadline still holds.
    let _ = wrt_platform::signal::exit_after(time, &line, code::TIMED_OUT);
}

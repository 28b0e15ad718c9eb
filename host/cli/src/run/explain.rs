//! How a run ended, said in words and as an exit code.

use super::Run;
use super::engine::Wanted;
use crate::code;
use crate::say::{complain, note};
use std::time::Duration;
use wrt_vm::error::{Bytes, Interruption, Seconds};
use wrt_vm::{Ended, Error, Report};

impl Run {
    /// The code for how it ended; says what went wrong, if something did.
    pub(crate) fn report(&self, report: &Report) -> u8 {
        if let Some(code) = wrt_platform::signal::termination() {
            // Whatever else went wrong then: who sent the signal knows why.
            return code;
        }
        match &report.ended {
            Ok(Ended::Returned) => 0,
            Ok(Ended::Exited(code)) => exit_status(*code),
            Err(error) => self.explain(error, report.steps.last().map(|(name, _)| *name)),
        }
    }

    /// Says that a program which failed was refused memory: it may not say so itself.
    pub(crate) fn report_memory(&self, code: u8, report: &Report) {
        if code != 0 && report.was_refused_memory() {
            let (name, limit) = (self.name(), Bytes(self.limits().max_memory));
            match report.lacked_memory() {
                true => note(format_args!(
                    "{name}: the system had no memory left for it, of the {limit} that it may have: \
                     end other programs, or raise the limits of this process (`ulimit -v`, \
                     `ulimit -d`, its control group's)"
                )),
                false => note(format_args!(
                    "{name}: it was refused memory; it may have {limit} (--max-memory)"
                )),
            }
        }
    }

    /// Says that the program took longer than it may; returns the code for it.
    fn explain_timeout(&self, step: Option<&str>) -> u8 {
        let mut what = timed_out(self.timeout.unwrap_or_default());
        if step == Some("choose") {
            what += " while the module was being compiled: `wrt-vm compile` does that beforehand";
        }
        match self.jobs {
            Some(_) => complain(format_args!("{}: {what}", self.name())),
            None => complain(what),
        }
        code::TIMED_OUT
    }

    /// Says what went wrong, and in which step; returns the code for it.
    fn explain(&self, error: &Error, step: Option<&str>) -> u8 {
        let code = match error {
            Error::Interrupted(Interruption::TimedOut) => return self.explain_timeout(step),
            Error::Trap(_) => code::TRAPPED,
            Error::OutputLimit { .. } => code::OUTPUT_LIMIT,
            _ => code::FAILED,
        };
        let about_module = matches!(
            error,
            Error::NotWasm(_)
                | Error::InvalidModule { .. }
                | Error::Unsupported { .. }
                | Error::CannotCompile { .. }
                | Error::CannotInterpret(_)
                | Error::UnusableArtifact(_)
                | Error::Unlinkable { .. }
                | Error::MemoryLimit { .. }
                | Error::NoSuchExport(_)
                | Error::Component(_)
        );
        let hint = match error {
            Error::MemoryLimit { .. } => " (--max-memory)",
            Error::OutputLimit { .. } => " (--max-output)",
            Error::CannotInterpret(_) => " (--engine native)",
            Error::Pressure => ", or make it all the same: --ignore-pressure",
            Error::NotAProgram { .. } => "\n  call one with --invoke",
            Error::Component(_) if self.engine == Wanted::Interp => " (without `--engine interp`)",
            Error::CannotCompile { interpretable: true, .. } => " (--engine interp)",
            _ => "",
        };
        // Which of several it is about needs to be said in any case.
        match about_module || self.jobs.is_some() {
            true => complain(format_args!("{}: {error}{hint}", self.name())),
            false => complain(format_args!("{error}{hint}")),
        }
        code
    }
}

/// Says what is given away.
pub(crate) fn warn_of_no_jail() {
    note("--no-jail: a program that breaks out of its VM has all rights of this user");
}

/// Says so where a jail lets files be opened, or any system call be made.
pub(crate) fn warn_of_a_weak_jail() {
    let found = wrt_platform::sandbox::availability();
    if let (false, Some(missing)) = (found.available, found.missing) {
        note(format_args!(
            "the jail is incomplete: {missing}. A program that breaks out of its VM may have \
             rights of this user (`wrt-vm doctor` tells more)"
        ));
    }
}

pub(super) fn timed_out(after: Duration) -> String {
    format!("timed out after {}", Seconds(after))
}

/// The exit status for a code of `proc_exit`. The system keeps eight bits, of which none must
/// say success for a code that does not.
fn exit_status(code: i32) -> u8 {
    match code.to_le_bytes()[0] {
        0 if code != 0 => u8::MAX,
        low => low,
    }
}

//! How a run ended, said in words and as an exit code.

use super::{Ending, Run};
use crate::code;
use crate::say::{complain, note};
use crate::stats::Timeline;
use std::time::Duration;
use wrt_vm::{Bytes, Error, Interruption, Seconds};

impl Run {
    /// The code for how it ended; says what went wrong, if something did.
    pub(crate) fn report(&self, result: &anyhow::Result<Ending>) -> u8 {
        if let Some(code) = wrt_platform::signal::termination() {
            // Whatever else went wrong then: who sent the signal knows why.
            return code;
        }
        match result {
            Ok(Ending::Returned) => 0,
            Ok(Ending::Exited(code)) => exit_status(*code),
            Err(error) => self.explain(error),
        }
    }

    /// Says that a program which failed was refused memory: it may not say so itself.
    pub(crate) fn report_memory(&self, code: u8, timeline: &Timeline) {
        if code != 0 && timeline.was_refused_memory() {
            let (name, limit) = (self.name(), Bytes(self.max_memory()));
            match timeline.lacked_memory() {
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
    fn explain_timeout(&self) -> u8 {
        let what = timed_out(self.timeout.unwrap_or_default());
        match self.jobs {
            Some(_) => complain(format_args!("{}: {what}", self.name())),
            None => complain(what),
        }
        code::TIMED_OUT
    }

    /// Says what went wrong; returns the code for it.
    fn explain(&self, error: &anyhow::Error) -> u8 {
        let code = match error.downcast_ref::<Error>() {
            Some(Error::Interrupted(Interruption::TimedOut)) => {
                return self.explain_timeout();
            }
            Some(Error::Trap(_)) => code::TRAPPED,
            Some(Error::OutputLimit { .. }) => code::OUTPUT_LIMIT,
            _ => code::FAILED,
        };
        let about_module = matches!(
            error.downcast_ref(),
            Some(
                Error::NotWasm(_)
                    | Error::InvalidModule { .. }
                    | Error::Unsupported { .. }
                    | Error::CannotCompile { .. }
                    | Error::UnusableArtifact(_)
                    | Error::Unlinkable { .. }
                    | Error::MemoryLimit { .. }
                    | Error::NoSuchExport(_)
                    | Error::Component(_)
            )
        );
        let hint = match error.downcast_ref() {
            Some(Error::MemoryLimit { .. }) => " (--max-memory)",
            Some(Error::OutputLimit { .. }) => " (--max-output)",
            Some(Error::CannotCompile { interpretable: true, .. }) => " (--engine interp)",
            _ => "",
        };
        // Which of several it is about needs to be said in any case.
        match about_module || self.jobs.is_some() {
            true => complain(format_args!("{}: {error:#}{hint}", self.name())),
            false => complain(format_args!("{error:#}{hint}")),
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

//! `wrt_log`: lines from the guest for the host's log, by `tracing`, bounded and counted by
//! [`GuestLog`].

use super::{Service, within};
use crate::error::Error;
use crate::machine::{CancelState, Ended};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Level;
use wrt_abi::LogLevel;
use wrt_abi::services::log::{FunctionId, MODULE};
use wrt_abi::services::{Arguments, Import};
use wrt_platform::log::{GuestLimits, GuestLog, Redaction};

/// Bytes of a text that are looked at. Fewer are shown, so that a cut is seen.
const TEXT_MAX: usize = 16 << 10;

/// Takes a guest's lines in this process's stead.
pub(crate) type Forward = Arc<dyn Fn(LogLevel, &[u8]) + Send + Sync>;

/// The log of a VM's guests.
pub(crate) enum Log {
    /// It goes to this process's log.
    Own(GuestLog),
    /// Somebody else has it.
    Forwarded(Forward),
}

impl Log {
    /// A log in this process, of a program of this name.
    pub(crate) fn new(program: Option<&str>) -> Self {
        /// Tells the VMs of this process from each other.
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let vm = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut log = GuestLog::new(vm, GuestLimits::default(), Redaction::Shown);
        log.set_program(program);
        Self::Own(log)
    }

    /// Another program begins. What a guest may log in a second, all of a VM may.
    pub(crate) fn set_program(&mut self, program: Option<&str>) {
        match self {
            Self::Own(log) => log.set_program(program),
            Self::Forwarded(_) => {}
        }
    }

    /// Whether a line of this level may be shown.
    fn is_wanted(&self, level: LogLevel) -> bool {
        match self {
            Self::Own(_) => GuestLog::is_wanted(to_tracing(level)),
            Self::Forwarded(_) => true,
        }
    }

    /// The guest logs a line.
    pub(crate) fn line(&mut self, level: LogLevel, text: &[u8]) {
        match self {
            Self::Own(log) => log.line(to_tracing(level), text),
            Self::Forwarded(forward) => forward(level, text),
        }
    }
}

impl Service for Log {
    fn call(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        _cancel: &CancelState,
    ) -> Result<Ended, Error> {
        let [number, at, len, ..] = *arguments;
        let level = LogLevel::try_from(number);
        Ok(match (FunctionId::of(import), level) {
            (Some(FunctionId::Enabled), level) => {
                Ended::Returned(level.is_ok_and(|level| self.is_wanted(level)).into())
            }
            (Some(FunctionId::Log), Err(_)) => Ended::Trap(format!("{MODULE}: no level {number}")),
            (Some(FunctionId::Log), Ok(level)) => match within(memory, at, len) {
                Some(text) => {
                    let text = &memory[text];
                    self.line(level, &text[..text.len().min(TEXT_MAX)]);
                    Ended::Returned(0)
                }
                None => Ended::OutOfBounds,
            },
            (None, _) => Ended::Unknown,
        })
    }
}

fn to_tracing(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// The highest level whose lines somebody wants just now, as a guest is told: 0 for none.
pub(crate) fn wanted() -> u64 {
    let wanted = |level: &&LogLevel| GuestLog::is_wanted(to_tracing(**level));
    LogLevel::ALL.iter().rev().find(wanted).map_or(0, |level| *level as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::tests::cancel;
    use std::sync::mpsc;

    /// Calls `log`; says how that ended, and what became of the line.
    fn log(arguments: [u64; 3]) -> (Ended, Option<(LogLevel, usize)>) {
        let (send, lines) = mpsc::channel();
        let forward = move |level, text: &[u8]| send.send((level, text.len())).unwrap();
        let mut words = Arguments::default();
        words[..3].copy_from_slice(&arguments);
        let import = FunctionId::Log.import();
        let mut memory = vec![b'a'; 64 << 10];
        let mut service = Log::Forwarded(Arc::new(forward));
        let ended = service.call(import, &words, &mut memory, &cancel()).unwrap();
        (ended, lines.try_recv().ok())
    }

    #[test]
    fn a_line_has_a_level_and_is_in_the_memory() {
        let (ended, line) = log([2, 10, 20]);
        assert!(matches!(ended, Ended::Returned(0)));
        assert_eq!(line, Some((LogLevel::Warn, 20)));
        for number in [0, 6, 1 << 32, u64::MAX] {
            let (ended, line) = log([number, 0, 1]);
            assert!(matches!(ended, Ended::Trap(_)) && line.is_none(), "{number}: {ended:?}");
        }
        for [at, len] in [[65536, 1], [1, 65536], [u64::MAX, 1], [1, u64::MAX], [1 << 63, 1 << 63]]
        {
            let (ended, line) = log([1, at, len]);
            assert!(matches!(ended, Ended::OutOfBounds) && line.is_none(), "{len} at {at}");
        }
    }

    #[test]
    fn no_more_than_a_beginning_of_a_long_line_goes_on() {
        assert_eq!(log([5, 0, 64 << 10]).1, Some((LogLevel::Trace, TEXT_MAX)));
    }
}

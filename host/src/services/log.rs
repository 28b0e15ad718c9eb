//! `Log`: lines from the guest for the host's log, by `tracing`, bounded and counted by
//! [`GuestLog`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::Level;
use wrt_abi::LogLevel;
use wrt_platform::log::{GuestLimits, GuestLog, Redaction};

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

    /// The guest logs a line.
    pub(crate) fn line(&mut self, level: LogLevel, text: &[u8]) {
        match self {
            Self::Own(log) => log.line(to_tracing(level), text),
            Self::Forwarded(forward) => forward(level, text),
        }
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

//! How a program ended, and what it took.

use super::super::vm::MicroVm;
use crate::error::Error;
use crate::machine::{RECORDER, Usage};
use std::time::{Duration, Instant};
use wrt_abi::EngineKind;
use wrt_platform::pressure::PressureLevel;

/// How a program ended, when nothing went wrong with its VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It came to its end.
    Returned,
    /// It left with this code (`proc_exit`).
    Exited(i32),
}

/// Where a program ran, and why there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Setup {
    /// Name of the hypervisor.
    pub backend: &'static str,
    /// What kept the guest in, in words.
    pub boundary: String,
    /// The engine.
    pub engine: EngineKind,
    /// Why this one, in words.
    pub why: &'static str,
}

/// What came of a program.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// How it ended.
    pub ended: Result<Ended, Error>,
    /// Each step that was taken, by its name, and how long it took.
    pub steps: Vec<(&'static str, Duration)>,
    /// What its VM counted, if there was one.
    pub usage: Option<Usage>,
    /// Where it ran, if it did.
    pub setup: Option<Setup>,
    /// What the jail of the process that had its VM was worth, in words, if it was in one.
    pub jail: Option<String>,
    /// How short of memory the machine was when the program was let in, if that was asked.
    pub pressure: Option<PressureLevel>,
}

impl Report {
    /// A report of a program that did not run.
    pub fn failed(error: Error) -> Self {
        Self::of(Err(error))
    }

    fn of(ended: Result<Ended, Error>) -> Self {
        Self { ended, steps: Vec::new(), usage: None, setup: None, jail: None, pressure: None }
    }

    /// Whether the program was refused memory.
    pub fn was_refused_memory(&self) -> bool {
        self.usage.is_some_and(|usage| usage.memory_refused)
    }

    /// Whether it was refused memory that it may have, because the system had none left.
    pub fn lacked_memory(&self) -> bool {
        self.usage.is_some_and(|usage| usage.system_out_of_memory)
    }
}

/// A report that is being made.
pub(super) struct Draft(Report);

impl Draft {
    pub(super) fn begin(pressure: Option<PressureLevel>) -> Self {
        Self(Report { pressure, ..Report::of(Ok(Ended::Returned)) })
    }

    /// Takes a step.
    pub(super) fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let result = RECORDER.interval(name, work);
        self.0.steps.push((name, begun.elapsed()));
        result
    }

    /// This process is in a jail.
    pub(super) fn jailed(&mut self, jail: String) {
        self.0.jail = Some(jail);
    }

    /// The VM has done what it was for, or failed.
    pub(super) fn ran_in(&mut self, vm: &MicroVm, why: &'static str) {
        self.0.usage = Some(vm.usage());
        if let Some(jail) = vm.jail() {
            self.jailed(jail.to_owned());
        }
        let (backend, boundary, engine) = (vm.backend(), vm.boundary(), vm.engine());
        self.0.setup = Some(Setup { backend, boundary, engine, why });
    }

    pub(super) fn end(self, ended: Result<Ended, Error>) -> Report {
        Report { ended, ..self.0 }
    }
}

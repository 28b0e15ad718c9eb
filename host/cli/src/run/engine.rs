//! What the options make of an engine and of a program.

use super::words::Words;
use super::{GRACE, Run};
use crate::{invoke, module};
use std::sync::Arc;
use std::time::Instant;
use wrt_platform::descriptors::Inherited;
use wrt_platform::signal::move_exit;
use wrt_vm::engine::Choice;
use wrt_vm::{Engine, Error, Limits, Module, Program, WasiConfig};

/// What `--engine` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wanted {
    /// Native if the code is in the cache, or the module is small, a component, or needs what the
    /// interpreter does not support; else the interpreter
    Auto,
    /// Compiled code; compile now if it is not in the cache
    Native,
    /// The interpreter; for core modules only
    Interp,
}

impl From<Wanted> for Choice {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Auto => Self::Auto,
            Wanted::Native => Self::Native,
            Wanted::Interp => Self::Interp,
        }
    }
}

impl Run {
    /// What runs the programs of this command, of which there are so many.
    pub(crate) fn open(&self, programs: usize) -> anyhow::Result<Engine> {
        let mut engine = Engine::builder()
            .choice(self.engine.into())
            .jail(!self.no_jail)
            .apart(self.worker)
            .workers(crate::workers(self.verbose))
            .admission(!self.ignore_pressure)
            .observer(Words::new(self.jobs.is_none()));
        if let Some(cache) = self.cache.open()? {
            engine = engine.cache(cache);
        }
        if let Some(jobs) = self.jobs {
            let ahead = usize::try_from(jobs)?.min(programs);
            engine = engine.parallel(jobs).ahead(ahead, self.limits());
        }
        Ok(engine.build_on(crate::open(self.backend)?)?)
    }

    /// What the program may use.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            time: self.timeout,
            max_memory: self.max_memory.unwrap_or(usual.max_memory),
            max_stack: self.max_stack,
        }
    }

    /// The program; what it may be read from is closed when it was read. Reading may take until
    /// `end`, and does not return by itself if the module is a pipe.
    pub(crate) fn program(
        self: &Arc<Self>,
        inherited: Option<Inherited>,
        end: Option<Instant>,
    ) -> Program {
        let run = Arc::clone(self);
        let prepare = move || {
            if let Some(end) = end {
                move_exit(Some(end.saturating_duration_since(Instant::now())));
            }
            let made = run.prepare();
            if let Some(end) = end {
                move_exit(Some(end.saturating_duration_since(Instant::now()) + GRACE));
            }
            drop(inherited);
            made
        };
        let program =
            Program::prepared_by(self.name(), prepare).limits(self.limits()).qos(self.qos.into());
        if self.invoke.is_none() {
            return program;
        }
        let run = Arc::clone(self);
        program.entry(move |vm, instance| {
            let export = run.invoke.as_deref().unwrap_or_default();
            invoke::call(vm, instance, export, run.args()).map_err(of_library)
        })
    }

    /// The module, and what it gets to see.
    fn prepare(&self) -> Result<(Module, WasiConfig), Error> {
        let module = module::read(self.module())?;
        if self.invoke.is_some() && module.is_component() {
            return Err(Error::Component(
                "--invoke calls a function of a core module, and this is a component".to_owned(),
            ));
        }
        Ok((module, self.world().map_err(|error| Error::Wasi(format!("{error:#}")))?))
    }
}

/// The library's own error, or one that says the same.
fn of_library(error: anyhow::Error) -> Error {
    error.downcast().unwrap_or_else(|other| Error::Failed(format!("{other:#}")))
}

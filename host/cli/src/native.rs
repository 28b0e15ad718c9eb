//! Which engine runs a module, and the code for the native one.

use super::compilers::{Compilers, spinner};
use super::say::note;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_platform::dispatch::{Group, QosClass, Queue};
use wrt_platform::lock::UnfairLock;
use wrt_platform::text::Line;
use wrt_vm::{Bytes, Cache, EngineKind, Error, Interruption, Making, Module, Target, Turn};

/// Modules up to this size are compiled when they are run first, unless told otherwise: that
/// takes about a second at most.
const SMALL: usize = 512 << 10;
/// How long that may take in the worst case, before the interpreter has to do.
const SMALL_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take if the native engine was asked for.
const LIMIT: Duration = Duration::from_secs(600);

/// What `--engine` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Wanted {
    /// Native if the code is in the cache, or the module is small, a component, or needs what the
    /// interpreter does not support; else the interpreter
    Auto,
    /// Compiled code; compile now if it is not in the cache
    Native,
    /// The interpreter; for core modules only
    Interp,
}

/// An engine, and the module in the form that it takes.
pub(super) struct Choice {
    pub(super) engine: EngineKind,
    pub(super) module: Module,
    /// Why this engine, for `--stats`.
    pub(super) why: &'static str,
    /// Whether the code comes from the cache: it may turn out to be unusable.
    pub(super) from_cache: bool,
}

impl Choice {
    /// Code from the cache.
    fn found(code: Module) -> Self {
        let why = "its code was in the cache";
        Self { engine: EngineKind::Native, module: code, why, from_cache: true }
    }
}

/// What a choice depends on.
pub(super) struct Chooser<'a> {
    pub(super) compilers: &'a Compilers,
    pub(super) wanted: Wanted,
    pub(super) cache: Option<&'a Cache>,
    /// Who keeps code in the cache is in this group until that is done; without one it is done
    /// at once.
    pub(super) writes: Option<&'a Group>,
    /// The module's name, for messages.
    pub(super) name: &'a str,
    pub(super) deadline: Option<Instant>,
    /// Whether a terminal shows that something is compiled: not by several at a time.
    pub(super) progress: bool,
}

impl Chooser<'_> {
    /// Chooses the engine and, if that is the native one, gets the code.
    pub(super) fn choose(&self, module: Module) -> Result<Choice, Error> {
        let choice = |engine, module, why| Choice { engine, module, why, from_cache: false };
        if module.target().is_some() {
            return match self.wanted {
                Wanted::Interp => Err(Error::Engine(
                    "it is compiled code, which the interpreter cannot run".to_owned(),
                )),
                _ => Ok(choice(EngineKind::Native, module, "the module is compiled code")),
            };
        }
        if self.wanted == Wanted::Interp {
            if module.is_component() {
                return Err(Error::Component(
                    "it is a component, and the interpreter runs core modules only: run it \
                     without `--engine interp`, or build it for wasm32-wasip1"
                        .to_owned(),
                ));
            }
            return Ok(choice(EngineKind::Interp, module, "--engine interp"));
        }
        let target = self.compilers.target();
        if let Some(code) = self.cache.and_then(|cache| cache.find(&module, target)) {
            return Ok(Choice::found(code));
        }
        if self.wanted == Wanted::Native {
            return self.compile(&module, target, LIMIT, "--engine native; compiled just now");
        }
        if module.is_component() {
            return self.compile(&module, target, LIMIT, "a component; compiled just now");
        }
        if module.len() > SMALL {
            let needs = self
                .compilers
                .needs(&module, self.deadline.unwrap_or_else(|| Instant::now() + SMALL_LIMIT));
            if !needs.lacking_in(EngineKind::Native).is_empty() {
                return Err(Error::Unsupported { needs, engine: EngineKind::Native });
            }
            if !needs.is_empty() {
                let why = "the interpreter does not support what it needs; compiled just now";
                return self.compile(&module, target, LIMIT, why);
            }
            self.say_how_to_make_it_fast(&module);
            let why = "too large to be compiled in passing";
            return Ok(choice(EngineKind::Interp, module, why));
        }
        let why = "small enough to be compiled just now";
        match self.compile(&module, target, SMALL_LIMIT, why) {
            Ok(choice) => Ok(choice),
            Err(error @ Error::CannotCompile { .. }) => {
                note(format_args!("{}: {error}, as is done now", self.name));
                Ok(choice(EngineKind::Interp, module, "it could not be compiled"))
            }
            Err(error) => Err(error),
        }
    }

    /// Compiles a module and keeps the code, unless another process does so at this time.
    fn compile(
        &self,
        module: &Module,
        target: Target,
        limit: Duration,
        why: &'static str,
    ) -> Result<Choice, Error> {
        let mut making = None;
        if let Some(cache) = self.cache {
            match self.turn(cache, module, target) {
                Turn::Found(code) => return Ok(Choice::found(code)),
                Turn::Compile(turn) => making = Some(turn),
            }
        }
        let now = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let limit = left.map_or(limit, |left| left.min(limit));
        let compiled = self.compilers.compile(module, self.name, target, limit, self.progress);
        if compiled.is_err() && self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Error::Interrupted(Interruption::TimedOut));
        }
        let module = compiled?;
        if let (Some(cache), Some(making)) = (self.cache, making) {
            self.keep(cache.clone(), module.clone(), making);
        }
        Ok(Choice { engine: EngineKind::Native, module, why, from_cache: false })
    }

    /// Waits while others compile a module.
    fn turn(&self, cache: &Cache, module: &Module, target: Target) -> Turn {
        let mut progress = None;
        let turn = cache.turn(module, target, || {
            if self.progress && progress.is_none() {
                let what = format!("waiting for another wrt-vm, which compiles {}", self.name);
                progress = Some(spinner(what));
            }
            self.deadline.is_none_or(|deadline| deadline > Instant::now())
        });
        if let Some(progress) = progress {
            progress.finish_and_clear();
        }
        turn
    }

    /// Keeps compiled code; if there is a group for it, while the program runs already.
    fn keep(&self, cache: Cache, compiled: Module, making: Making) {
        let making = UnfairLock::new(Some(making));
        let keep = Arc::new(move || match cache.store(&compiled) {
            Ok(()) => {
                let making = making.lock().take();
                if let Some(making) = making {
                    making.done();
                }
            }
            Err(error) => {
                let dir = Line(cache.path().display());
                note(format_args!("cannot keep compiled code in {dir}: {error}"));
            }
        });
        let later = Arc::clone(&keep);
        let queue = Queue::global(QosClass::Utility);
        match self.writes.map(|writes| writes.exec_async(&queue, move || later())) {
            Some(Ok(())) => {}
            // No thread for it, or none wanted.
            Some(Err(_)) | None => keep(),
        }
    }

    fn say_how_to_make_it_fast(&self, module: &Module) {
        let (name, size) = (self.name, Bytes(module.len() as u64));
        let how = match self.cache {
            Some(_) => format!("`wrt-vm run --engine native {name}` compiles it once and for all"),
            None => format!("`wrt-vm compile {name}` makes code that runs at once"),
        };
        note(format_args!("{name} has {size} and runs on the interpreter; {how}"));
    }
}

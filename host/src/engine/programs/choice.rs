//! Which engine runs a program, and the code for it.

use super::super::cache::{Cache, Making, Turn};
use super::compilers::Compilers;
use super::notice::{Notice, Observer};
use crate::artifact::Target;
use crate::error::{Error, Interruption};
use crate::module::Module;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_abi::EngineKind;
use wrt_platform::dispatch::{Group, QosClass, Queue};
use wrt_platform::lock::UnfairLock;

/// Modules up to this size are compiled when they are run first, unless told otherwise: that
/// takes about a second at most.
const SMALL: usize = 512 << 10;
/// How long that may take in the worst case, before the interpreter has to do.
const SMALL_LIMIT: Duration = Duration::from_secs(10);
/// How long it may take if the native engine was asked for.
const LIMIT: Duration = Duration::from_secs(600);

/// How the engine of a program is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Native if the code is in the cache, or the module is small (512 KiB), a component, or needs
    /// what the interpreter does not support; else the interpreter.
    #[default]
    Auto,
    /// Compiled code; compiled now if it is not in the cache.
    Native,
    /// The interpreter, which runs core modules only.
    Interp,
}

/// An engine, and the module in the form that it takes.
pub(super) struct Chosen {
    pub(super) engine: EngineKind,
    pub(super) module: Module,
    /// Why this engine.
    pub(super) why: &'static str,
    /// Whether the code comes from the cache: it may turn out to be unusable.
    pub(super) from_cache: bool,
}

impl Chosen {
    /// Code from the cache.
    fn found(code: Module) -> Self {
        let why = "its code was in the cache";
        Self { engine: EngineKind::Native, module: code, why, from_cache: true }
    }
}

/// What a choice depends on.
pub(super) struct Chooser<'a> {
    pub(super) compilers: &'a Compilers,
    /// Whether compilers wait for other modules.
    pub(super) stay: bool,
    pub(super) choice: Choice,
    pub(super) cache: Option<&'a Cache>,
    /// Who keeps code in the cache is in this group until that is done; without one it is done
    /// at once.
    pub(super) writes: Option<&'a Group>,
    pub(super) observer: &'a Arc<dyn Observer>,
    /// The program's name.
    pub(super) name: &'a str,
    pub(super) deadline: Option<Instant>,
}

impl Chooser<'_> {
    /// Chooses the engine and, if that is the native one, gets the code.
    pub(super) fn choose(&self, module: Module) -> Result<Chosen, Error> {
        let chosen = |engine, module, why| Chosen { engine, module, why, from_cache: false };
        if module.target().is_some() {
            return match self.choice {
                Choice::Interp => Err(Error::Engine(
                    "it is compiled code, which the interpreter cannot run".to_owned(),
                )),
                _ => Ok(chosen(EngineKind::Native, module, "the module is compiled code")),
            };
        }
        if self.choice == Choice::Interp {
            if module.is_component() {
                return Err(Error::Component(
                    "it is a component, and the interpreter runs core modules only: build it for \
                     wasm32-wasip1, or choose another engine"
                        .to_owned(),
                ));
            }
            return Ok(chosen(EngineKind::Interp, module, "as asked for"));
        }
        let target = self.compilers.target();
        if let Some(code) = self.cache.and_then(|cache| cache.find(&module, target)) {
            return Ok(Chosen::found(code));
        }
        if self.choice == Choice::Native {
            return self.compile(&module, target, LIMIT, "as asked for; compiled just now");
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
            self.say(&Notice::TooLarge { bytes: module.len(), kept: self.cache.is_some() });
            let why = "too large to be compiled in passing";
            return Ok(chosen(EngineKind::Interp, module, why));
        }
        let why = "small enough to be compiled just now";
        match self.compile(&module, target, SMALL_LIMIT, why) {
            Ok(chosen) => Ok(chosen),
            Err(error @ Error::CannotCompile { .. }) => {
                self.say(&Notice::NotCompiled(&error));
                Ok(chosen(EngineKind::Interp, module, "it could not be compiled"))
            }
            Err(error) => Err(error),
        }
    }

    fn say(&self, notice: &Notice<'_>) {
        self.observer.notice(self.name, notice);
    }

    /// Compiles a module and keeps the code, unless another process does so at this time.
    fn compile(
        &self,
        module: &Module,
        target: Target,
        limit: Duration,
        why: &'static str,
    ) -> Result<Chosen, Error> {
        let mut making = None;
        if let Some(cache) = self.cache {
            match self.turn(cache, module, target) {
                Turn::Found(code) => return Ok(Chosen::found(code)),
                Turn::Compile(turn) => making = Some(turn),
            }
        }
        let now = Instant::now();
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(now));
        let limit = left.map_or(limit, |left| left.min(limit));
        let compiled = self.compilers.compile(self.name, module, target, limit, self.stay);
        if compiled.is_err() && self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Error::Interrupted(Interruption::TimedOut));
        }
        let module = compiled?;
        if let (Some(cache), Some(making)) = (self.cache, making) {
            self.keep(cache.clone(), module.clone(), making);
        }
        Ok(Chosen { engine: EngineKind::Native, module, why, from_cache: false })
    }

    /// Waits while others compile a module.
    fn turn(&self, cache: &Cache, module: &Module, target: Target) -> Turn {
        let mut waits = false;
        let turn = cache.turn(module, target, || {
            if !waits {
                waits = true;
                self.say(&Notice::Waiting);
            }
            self.deadline.is_none_or(|deadline| deadline > Instant::now())
        });
        if waits {
            self.say(&Notice::Compiled);
        }
        turn
    }

    /// Keeps compiled code; if there is a group for it, while the program runs already.
    fn keep(&self, cache: Cache, compiled: Module, making: Making) {
        let making = UnfairLock::new(Some(making));
        let (observer, name) = (Arc::clone(self.observer), self.name.to_owned());
        let keep = Arc::new(move || match cache.store(&compiled) {
            Ok(()) => {
                let making = making.lock().take();
                if let Some(making) = making {
                    making.done();
                }
            }
            Err(error) => {
                observer.notice(&name, &Notice::NotKept { dir: cache.path(), error: &error });
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
}

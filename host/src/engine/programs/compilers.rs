//! Compilers for an engine's modules.

use super::super::compiler::Compiler;
use super::super::vm::MicroVm;
use super::notice::{Notice, Observer};
use crate::artifact::Target;
use crate::error::Error;
use crate::module::Module;
use crate::placement::Placement;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wrt_abi::proposals::Proposals;
use wrt_hypervisor::Hypervisor;
use wrt_platform::lock::UnfairLock;

/// What compiles modules, each in a VM that compiles nothing else at that time.
pub(super) struct Compilers {
    /// What they run in.
    hypervisor: Box<dyn Hypervisor>,
    placement: Placement,
    observer: Arc<dyn Observer>,
    stock: UnfairLock<Stock>,
}

#[derive(Default)]
struct Stock {
    idle: Vec<Compiler>,
    counts: CompilerCounts,
}

/// What compilers were good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompilerCounts {
    /// Modules that they compiled.
    pub modules: usize,
    /// How many there were.
    pub made: usize,
}

impl Compilers {
    pub(super) fn new(
        hypervisor: Box<dyn Hypervisor>,
        placement: Placement,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { hypervisor, placement, observer, stock: UnfairLock::default() }
    }

    /// What compiled code is for, unless it is for another machine.
    pub(super) fn target(&self) -> Target {
        Target::of(self.hypervisor.as_ref())
    }

    /// Compiles a module of a program of this name. The compiler waits for another module then, if
    /// it is to `stay`.
    pub(super) fn compile(
        &self,
        name: &str,
        module: &Module,
        target: Target,
        limit: Duration,
        stay: bool,
    ) -> Result<Module, Error> {
        self.observer.notice(name, &Notice::Compiling { bytes: module.len() });
        let compiled = self.compile_in_silence(module, target, limit, stay);
        self.observer.notice(name, &Notice::Compiled);
        compiled
    }

    fn compile_in_silence(
        &self,
        module: &Module,
        target: Target,
        limit: Duration,
        stay: bool,
    ) -> Result<Module, Error> {
        let mut compiler = self.take(limit)?.time_limit(limit);
        let compiled = compiler.compile(module, target);
        // One that failed otherwise may have lost its VM.
        if stay
            && matches!(
                compiled,
                Ok(_)
                    | Err(Error::InvalidModule { .. }
                        | Error::Unlinkable { .. }
                        | Error::Unsupported { .. })
            )
        {
            self.stock.lock().idle.push(compiler);
        }
        compiled
    }

    /// Which proposals a core module needs that some engine lacks, as a VM says that is made for
    /// this. A module that cannot be looked at by then needs none: an engine will say what is
    /// wrong.
    pub(super) fn needs(&self, module: &Module, deadline: Instant) -> Proposals {
        let builder = MicroVm::builder().placement(self.placement.clone()).deadline(Some(deadline));
        let examined = builder.build_on(self.hypervisor.as_ref()).and_then(|mut vm| {
            vm.set_deadline(Some(deadline));
            vm.examine(module)
        });
        examined.unwrap_or_else(|error| {
            tracing::debug!("cannot find out what the module needs: {error}");
            Proposals::NONE
        })
    }

    fn take(&self, limit: Duration) -> Result<Compiler, Error> {
        let idle = {
            let mut stock = self.stock.lock();
            stock.counts.modules += 1;
            stock.idle.pop()
        };
        match idle {
            Some(compiler) => Ok(compiler),
            None => {
                self.stock.lock().counts.made += 1;
                Compiler::within(self.hypervisor.as_ref(), self.placement.clone(), limit)
            }
        }
    }

    /// Gives up those that wait: memory is short.
    pub(super) fn relieve(&self) {
        let idle = std::mem::take(&mut self.stock.lock().idle);
        // Without the lock: they take their time to go.
        drop(idle);
    }

    pub(super) fn counts(&self) -> CompilerCounts {
        self.stock.lock().counts
    }
}

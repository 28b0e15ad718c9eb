//! Compilers for the modules of one command.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};
use wrt_platform::lock::UnfairLock;
use wrt_vm::hypervisor::Hypervisor;
use wrt_vm::{Bytes, Compiler, Error, MicroVm, Module, Placement, Proposals, Target};

/// From this size on, people see that something is going on.
const SHOWN: usize = 256 << 10;

/// What compiles modules, each in a VM that compiles nothing else at that time.
pub(super) struct Compilers {
    /// What they run in.
    hypervisor: Box<dyn Hypervisor>,
    placement: Placement,
    /// Whether one that is done waits for another module.
    keep: bool,
    stock: UnfairLock<Stock>,
}

#[derive(Default)]
struct Stock {
    idle: Vec<Compiler>,
    counts: CompilerCounts,
}

/// What compilers were good for.
#[derive(Clone, Copy, Default)]
pub(super) struct CompilerCounts {
    /// Modules that they compiled.
    pub(super) modules: usize,
    /// How many there were.
    pub(super) made: usize,
}

impl Compilers {
    /// Compilers that go when they are done.
    pub(super) fn new(hypervisor: Box<dyn Hypervisor>, placement: Placement) -> Self {
        Self { hypervisor, placement, keep: false, stock: UnfairLock::default() }
    }

    /// Has those that are done wait for more: several modules are to come.
    pub(super) fn keep(self) -> Self {
        Self { keep: true, ..self }
    }

    /// What compiled code is for, unless it is for another machine.
    pub(super) fn target(&self) -> Target {
        Target::of(self.hypervisor.as_ref())
    }

    /// Compiles a module, if `progress` with a line about it on a terminal.
    pub(super) fn compile(
        &self,
        module: &Module,
        name: &str,
        target: Target,
        limit: Duration,
        progress: bool,
    ) -> Result<Module, Error> {
        let mut compiler = self.take(limit)?.time_limit(limit);
        let progress = match progress && module.len() >= SHOWN {
            true => spinner(format!("compiling {name} ({})", Bytes(module.len() as u64))),
            false => ProgressBar::hidden(),
        };
        let compiled = compiler.compile(module, target);
        progress.finish_and_clear();
        // One that failed otherwise may have lost its VM.
        if self.keep
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
        let builder = MicroVm::builder().placement(self.placement.clone());
        let builder = builder.deadline(Some(deadline));
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

/// Shows that something goes on, unless standard error is no terminal.
pub(super) fn spinner(message: String) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let spinner = ProgressBar::new_spinner().with_style(style).with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

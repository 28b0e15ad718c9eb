//! What an engine runs.

use super::super::vm::{DEFAULT_MAX_MEMORY, DEFAULT_MAX_STACK, Instance, MicroVm};
use crate::error::Error;
use crate::module::Module;
use crate::world::WasiConfig;
use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;
use wrt_platform::dispatch::QosClass;

/// Makes a module and a world.
pub(super) type Prepare = Box<dyn FnOnce() -> Result<(Module, WasiConfig), Error> + Send>;
/// Done with an instance, in the place of running it.
pub(super) type Entry = Box<dyn FnOnce(&mut MicroVm, Instance) -> Result<(), Error> + Send>;

/// A program to be run once: a module, what it gets to see, and what it may use.
pub struct Program {
    pub(super) name: String,
    pub(super) prepare: Prepare,
    pub(super) limits: Limits,
    pub(super) qos: QosClass,
    /// Instead of running the module as a program.
    pub(super) entry: Option<Entry>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, limits, qos, .. } = self;
        f.debug_struct("Program")
            .field("name", name)
            .field("limits", limits)
            .field("qos", qos)
            .finish_non_exhaustive()
    }
}

/// What a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long it may take, from its turn on, its compilation included: no limit unless set.
    pub time: Option<Duration>,
    /// Bytes of linear memory, all its memories together: 4 GiB unless set, or half of what this
    /// process's control group (the container) may have, if that is less.
    pub max_memory: u64,
    /// Bytes of stack that its calls may take: 64 MiB unless set.
    pub max_stack: u64,
}

impl Default for Limits {
    fn default() -> Self {
        // The files that tell are out of reach in a jail, so it is looked up once.
        static MEMORY: OnceLock<u64> = OnceLock::new();
        let max_memory =
            *MEMORY.get_or_init(|| default_within(wrt_platform::pressure::memory_limit()));
        Self { time: None, max_memory, max_stack: DEFAULT_MAX_STACK }
    }
}

/// Half of what a control group may have, if that is less than usual. The rest is for the engine
/// and for this process; without it the kernel would end them before a program hits its limit.
fn default_within(limit: Option<u64>) -> u64 {
    limit.map_or(DEFAULT_MAX_MEMORY, |limit| (limit / 2).min(DEFAULT_MAX_MEMORY))
}

impl Program {
    /// A program. Messages call it by `name`.
    pub fn new(name: impl Into<String>, module: Module, world: WasiConfig) -> Self {
        Self::prepared_by(name, move || Ok((module, world)))
    }

    /// A program whose module and world are made when its turn comes, on the thread that runs it:
    /// many can be submitted, and few are in memory.
    pub fn prepared_by(
        name: impl Into<String>,
        prepare: impl FnOnce() -> Result<(Module, WasiConfig), Error> + Send + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            prepare: Box::new(prepare),
            limits: Limits::default(),
            qos: QosClass::Default,
            entry: None,
        }
    }

    /// Sets what it may use.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Says how urgent it is: the system gives its threads more or less of the processors.
    pub fn qos(mut self, qos: QosClass) -> Self {
        self.qos = qos;
        self
    }

    /// Does this with the instantiated module, instead of running it as a program.
    pub fn entry(
        mut self,
        entry: impl FnOnce(&mut MicroVm, Instance) -> Result<(), Error> + Send + 'static,
    ) -> Self {
        self.entry = Some(Box::new(entry));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_memory_fits_into_a_container() {
        assert_eq!(default_within(None), 4 << 30);
        assert_eq!(default_within(Some(64 << 30)), 4 << 30);
        assert_eq!(default_within(Some(512 << 20)), 256 << 20);
    }
}

//! Serves what programs ask of the host: one file or folder a service, each with a table in
//! [`wrt_abi::services`].
//!
//! Everything in a request is hostile: [`Serve`] has the five rules for it.

pub(crate) mod log;
mod vector;
pub(crate) mod wasi;

use crate::error::Error;
use crate::machine::{CancelState, Ended, Serve};
use crate::world::World;
use std::ops::Range;
use wrt_abi::services::{Arguments, Import, ServiceId};

/// A service of one VM.
///
/// It has its own state, and during a call the program's linear memory: nothing else of the VM.
trait Service: Send {
    /// Calls a function of the service's table, on the program's memory.
    ///
    /// # Errors
    ///
    /// As [`Serve::serve`].
    fn call(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        cancel: &CancelState,
    ) -> Result<Ended, Error>;
}

/// Services of one VM.
pub(crate) struct Services {
    wasi: wasi::Wasi,
    log: log::Log,
    vector: vector::Vector,
}

impl Services {
    /// Services with the given world. `forward` takes the guest's lines, unless they are to go to
    /// this process's log.
    pub(crate) fn new(world: World, forward: Option<log::Forward>) -> Self {
        let log = match forward {
            Some(forward) => log::Log::Forwarded(forward),
            None => log::Log::new(world.program()),
        };
        Self { wasi: wasi::Wasi::new(world), log, vector: vector::Vector }
    }

    /// The next program has another world.
    pub(crate) fn renew(&mut self, world: World) {
        // Each by its name: nothing that one program has left in a service is the next one's.
        let Self { wasi, log, vector: vector::Vector } = self;
        log.set_program(world.program());
        *wasi = wasi::Wasi::new(world);
    }

    /// What serves the functions of a table.
    fn service(&mut self, service: ServiceId) -> &mut dyn Service {
        match service {
            ServiceId::Wasi => &mut self.wasi,
            ServiceId::Log => &mut self.log,
            ServiceId::Vector => &mut self.vector,
        }
    }
}

impl Serve for Services {
    fn serve(
        &mut self,
        import: Import,
        arguments: &Arguments,
        memory: &mut [u8],
        cancel: &CancelState,
    ) -> Result<Ended, Error> {
        self.service(import.service()).call(import, arguments, memory, cancel)
    }
}

/// Where in the memory `len` bytes from `at` on are, if they are there.
fn within(memory: &[u8], at: u64, len: u64) -> Option<Range<usize>> {
    let range = usize::try_from(at).ok()?..usize::try_from(at.checked_add(len)?).ok()?;
    (range.end <= memory.len()).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::WasiConfig;
    use std::sync::Arc;
    use wrt_hypervisor::Kicker;

    struct NoKicker;

    impl Kicker for NoKicker {
        fn kick(&self) {}
    }

    /// The calls of a VM that there is not.
    pub(super) fn cancel() -> Arc<CancelState> {
        CancelState::new(Arc::new(NoKicker))
    }

    #[test]
    fn each_function_of_each_table_is_served() {
        let world = World::open(&WasiConfig::new()).unwrap();
        let mut services = Services::new(world, None);
        for import in ServiceId::ALL.iter().flat_map(|service| service.imports()) {
            let called = services.serve(import, &Arguments::default(), &mut [0; 64], &cancel());
            assert!(!matches!(called, Err(_) | Ok(Ended::Unknown)), "{import:?}: {called:?}");
        }
    }
}

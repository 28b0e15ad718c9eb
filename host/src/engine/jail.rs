//! What a jail has to know of VMs and caches.

use super::cache::Cache;
use super::vm::MicroVm;
use crate::error::Error;
use crate::placement::{Entrance, Jail, Jailed};

impl Jail {
    /// Lets entries of a cache be thrown out from inside, but neither read nor written.
    pub fn forgetting(self, cache: &Cache) -> Self {
        self.removal(cache.path(), cache.inside())
    }
}

impl Entrance {
    /// Closes system calls, too, for all threads of this process. `vm` is the only VM that will
    /// work on every backend; more can be made on a hypervisor that needs no child process.
    ///
    /// # Errors
    ///
    /// [`Error::Jail`] when the system refuses: the process should end then.
    pub fn enter(self, vm: &MicroVm) -> Result<Jailed, Error> {
        self.enter_with(vm.child())
    }
}

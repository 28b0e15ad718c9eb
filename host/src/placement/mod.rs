//! Where a guest works, what it can be asked for there, and what the process around it may still do.
//!
//! An `Order` is all that a guest is asked for. `Local` has the machine of this process obey it;
//! `Remote` (in [`worker`]) sends it to a worker, whose loop hands it to a `Local` there. So an operation
//! is one variant of `Order`, and one arm where a machine obeys it.

mod jail;
mod local;
mod order;
pub mod worker;

pub(crate) use jail::Inside;
pub use jail::{Entrance, Jail, Jailed};
pub(crate) use order::{CHUNK_MAX, Done, Guest, Kept, Order};

use crate::error::Error;
use crate::machine::MachineConfig;
use crate::services::Services;
use crate::world::World;
use local::Local;
use std::time::Instant;
use worker::{Remote, Workers};
use wrt_hypervisor::Hypervisor;

/// Where VMs are.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Placement {
    /// In this process.
    #[default]
    Here,
    /// Each in a process of its own, which is [jailed](Jail) unless these say otherwise.
    Worker(Workers),
}

impl From<Workers> for Placement {
    fn from(workers: Workers) -> Self {
        Self::Worker(workers)
    }
}

impl Placement {
    /// Makes a guest with its VM. It goes on `from` another one, if that is given. `deadline` is as
    /// [`Guest::set_deadline`]; a worker has to be there by then, too.
    ///
    /// # Errors
    ///
    /// As [`Machine::new`](crate::machine::Machine::new); and when a worker cannot be had, or a
    /// process has no such guest.
    pub(crate) fn guest(
        &self,
        hypervisor: &dyn Hypervisor,
        config: MachineConfig,
        world: World,
        from: Option<&Kept>,
        deadline: Option<Instant>,
    ) -> Result<Box<dyn Guest>, Error> {
        Ok(match self {
            Self::Here => {
                let from = from.map(Kept::here).transpose()?;
                let services = Services::new(world, None);
                let mut local = Local::new(hypervisor, config, services, from)?;
                local.set_deadline(deadline);
                Box::new(local)
            }
            Self::Worker(_) if from.is_some() => return Err(order::elsewhere()),
            Self::Worker(workers) => {
                Box::new(Remote::new(workers, hypervisor, config, &world, deadline)?)
            }
        })
    }
}

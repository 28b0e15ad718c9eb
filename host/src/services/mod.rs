//! Serves the guest's hypercalls that are not the machine's own: one file a service.
//!
//! Everything in a request is hostile: [`Serve`] has the five rules for it.

pub(crate) mod log;
mod vector;
pub(crate) mod wasi;

use crate::error::Error;
use crate::machine::{CancelState, GuestMemory, Outcome, Serve};
use crate::world::World;
use wrt_abi::mailbox::Request;
use wrt_abi::{Call, LogLevel, Status};

/// Services of one VM.
pub(crate) struct Services {
    /// WASI preview 1.
    pub(crate) wasi: wasi::Wasi,
    /// The guest's log.
    pub(crate) log: log::Log,
}

impl Services {
    /// Services with the given world. The guest's lines go to this process's log unless somebody
    /// else takes them.
    pub(crate) fn new(world: World, forward: Option<log::Forward>) -> Self {
        let log = match forward {
            Some(forward) => log::Log::Forwarded(forward),
            None => log::Log::new(world.program()),
        };
        Self { wasi: wasi::Wasi::new(world), log }
    }

    /// The next program has another world.
    pub(crate) fn renew(&mut self, world: World) {
        self.log.set_program(world.program());
        self.wasi = wasi::Wasi::new(world);
    }
}

/// What a call may touch: the program's memory, and the services' own state.
struct Context<'a> {
    memory: &'a mut GuestMemory,
    services: &'a mut Services,
    cancel: &'a CancelState,
}

impl Serve for Services {
    fn serve(
        &mut self,
        call: Call,
        request: &Request,
        payload: &[u8],
        memory: &mut GuestMemory,
        cancel: &CancelState,
    ) -> Result<Outcome, Error> {
        let context = Context { memory, services: self, cancel };
        match call {
            Call::Wasi => wasi::serve(&request.args, context),
            Call::Vector => vector::serve(&request.args, context),
            Call::Log => Ok(match LogLevel::try_from(request.args[0]) {
                Ok(level) => {
                    context.services.log.line(level, payload);
                    Outcome::status(Status::Ok, 0)
                }
                Err(_) => Outcome::status(Status::Invalid, 0),
            }),
            // The machine's own; it never passes them on.
            Call::RegionReserve
            | Call::RegionCommit
            | Call::RegionRelease
            | Call::CodePublish
            | Call::Panic
            | Call::OutOfMemory
            | Call::Ready
            | Call::Done => Ok(Outcome::status(Status::Invalid, 0)),
        }
    }
}

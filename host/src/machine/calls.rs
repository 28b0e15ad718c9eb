//! `RegionReserve`, `RegionCommit`, `RegionRelease`, `CodePublish`: guest memory on request.

use super::{Context, Outcome};
use crate::error::Error;
use crate::machine::MemoryRefused;
use wrt_abi::Status;
use wrt_hypervisor::Gva;

pub(super) fn reserve(len: u64, context: Context<'_>) -> Result<Outcome, Error> {
    respond(context.memory.reserve(context.vm, len).map(|gva| gva.0))
}

pub(super) fn commit(
    gva: u64,
    least: u64,
    most: u64,
    context: Context<'_>,
) -> Result<Outcome, Error> {
    respond(context.memory.commit(context.vm, Gva(gva), least, most))
}

pub(super) fn publish(gva: u64, len: u64, context: Context<'_>) -> Result<Outcome, Error> {
    respond(context.memory.publish(context.vm, Gva(gva), len).map(|()| 0))
}

pub(super) fn release(gva: u64, context: Context<'_>) -> Result<Outcome, Error> {
    respond(context.memory.release(context.vm, Gva(gva)).map(|()| 0))
}

fn respond(result: Result<u64, MemoryRefused>) -> Result<Outcome, Error> {
    match result {
        Ok(value) => Ok(Outcome::status(Status::Ok, value)),
        Err(MemoryRefused::Unknown) => Ok(Outcome::status(Status::Invalid, 0)),
        // A host without memory is the guest's out-of-memory, not its end.
        Err(MemoryRefused::Limit | MemoryRefused::System(_)) => {
            Ok(Outcome::status(Status::Refused, 0))
        }
        Err(MemoryRefused::Hypervisor(error)) => Err(error.into()),
    }
}

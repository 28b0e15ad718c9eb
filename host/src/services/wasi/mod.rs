//! `Wasi`: preview 1, and preview 0 by way of it.
//!
//! The raw functions of `wasmtime-wasi` take the guest's linear memory as a slice, decode the
//! arguments, and call [`call::Call`]. What does not concern files is `wasmtime-wasi`'s own
//! implementation from there on; paths are resolved by `cap-primitives`, as they are in
//! `wasmtime-wasi`, so that the file-system sandbox comes from code that the field already trusts.
//! The raw functions are not wasmtime's public interface: the version is pinned, and `raw` is the
//! only file that names them. Bytes of the standard streams pass it by: see [`stdio`].

mod attributes;
mod call;
mod descriptors;
mod errno;
mod files;
mod listing;
mod paths;
mod poll;
mod raw;
mod stdio;
#[cfg(test)]
mod tests;
mod unstable;
mod wait;

use super::Context;
use crate::error::Error;
use crate::machine::Outcome;
use crate::text;
use crate::world::WasiConfig;
use descriptors::{Descriptors, Directory};
use std::io::IsTerminal as _;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};
use wrt_abi::Status;
use wrt_abi::mailbox::{REQUEST_ARGS, Response};
use wrt_abi::wasi::{FIRST_ARGUMENT, FunctionId, Version};
use wrt_hypervisor::Gva;

/// Bytes that one call may make the host allocate on the guest's behalf.
const ALLOCATION_MAX: usize = 128 << 20;

/// The errno of a function that did what it was asked to.
const SUCCESS: i32 = 0;

/// Arguments of a function.
pub(super) type Arguments = [u64; REQUEST_ARGS - FIRST_ARGUMENT];

/// The WASI world of one VM.
pub(crate) struct Wasi {
    /// Arguments, environment, clocks, randomness, and the standard streams.
    world: WasiP1Ctx,
    descriptors: Descriptors,
    program: Option<String>,
    streams: stdio::Streams,
}

impl Wasi {
    /// A world as configured.
    ///
    /// # Errors
    ///
    /// When a directory cannot be opened.
    pub(crate) fn new(config: &WasiConfig) -> Result<Self, Error> {
        let program = config.program().map(str::to_owned);
        let descriptors = Descriptors::new(open_directories(config)?);
        let streams = stdio::Streams::new(config);
        Ok(Self { world: without_directories(config), descriptors, streams, program })
    }

    /// The program's name, if it has one.
    pub(crate) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }
}

/// What `wasmtime-wasi` knows of a world: all but the directories.
fn without_directories(config: &WasiConfig) -> WasiP1Ctx {
    let mut builder = WasiCtxBuilder::new();
    builder.args(&config.args).envs(&config.env);
    let terminals = [std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
    builder
        .stdin(stdio::shown_input(&config.stdin))
        .stdout(stdio::shown_output(&config.stdout, terminals[0]))
        .stderr(stdio::shown_output(&config.stderr, terminals[1]));
    builder.build_p1()
}

fn open_directories(config: &WasiConfig) -> Result<Vec<Directory>, Error> {
    let open = config.preopens.iter().map(|preopen| {
        Ok(Directory::preopened(preopen.open()?, preopen.guest.clone(), !preopen.read_only))
    });
    open.collect()
}

/// Serves one function.
pub(super) fn serve(args: &[u64; REQUEST_ARGS], context: Context<'_>) -> Result<Outcome, Error> {
    let [index, base, len, arguments @ ..] = *args;
    let Some((function, version)) = FunctionId::from_index(index) else {
        return Ok(Outcome::status(Status::Invalid, 0));
    };
    let Ok(memory) = context.memory.slice(Gva(base), len) else {
        return Ok(Outcome::status(Status::Invalid, 0));
    };
    let (wasi, cancel) = (&mut context.services.wasi, context.cancel);
    let stream = wasi.descriptors.stream(low(arguments[0]).into());
    let moved = wasi.streams.serve(function, stream, memory, &arguments, cancel)?;
    if let Some(moved) = moved {
        return outcome(moved);
    }
    wasi.world.set_hostcall_fuel(ALLOCATION_MAX);
    let alarm = wait::Alarm::default();
    let mut call = call::Call { wasi, cancel, alarm: &alarm };
    let served = async {
        let memory = &mut wiggle::GuestMemory::Unshared(memory);
        match version {
            Version::Preview1 => raw::call(&mut call, memory, function, &arguments).await,
            Version::Unstable => unstable::call(&mut call, memory, function, &arguments).await,
        }
    };
    outcome(wait::wait(served, &alarm, cancel)?)
}

/// What a function's result is to the guest: an errno, the program's exit, or a trap.
///
/// # Errors
///
/// When it was interrupted.
fn outcome(result: wiggle::error::Result<i32>) -> Result<Outcome, Error> {
    let error = match result {
        Ok(value) => return Ok(Outcome::status(Status::Ok, u64::from(value.cast_unsigned()))),
        Err(error) => error,
    };
    if let Some(&I32Exit(code)) = error.downcast_ref() {
        return Ok(Outcome::status(Status::Exit, u64::from(code.cast_unsigned())));
    }
    if let Some(&wait::Interrupted(why)) = error.downcast_ref() {
        return Err(Error::Interrupted(why));
    }
    let response = Response { status: Status::Trap as u32, ..Response::default() };
    let reason = text::printable(format!("{error:#}").as_bytes());
    Ok(Outcome::Respond(response, reason.into_bytes()))
}

/// An argument of 32 bits: the upper half is the guest's to fill.
#[expect(clippy::cast_possible_truncation, reason = "it travels in the low half")]
fn low(word: u64) -> u32 {
    word as u32
}

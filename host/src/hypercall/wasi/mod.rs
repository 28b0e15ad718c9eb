//! `Wasi`: preview 1, by `wasmtime-wasi`'s own implementation.
//!
//! Its raw functions take the guest's linear memory as a slice, so that the file-system
//! sandbox, rights and errno come from code that the field already trusts. They are not
//! wasmtime's public interface: the version is pinned, and `raw` is the only file that
//! names them. Bytes of the standard streams pass it by: see [`stdio`].

mod config;
mod opening;
mod pread;
mod raw;
mod sleep;
mod stdio;
mod world;

pub use config::{Output, Stdin, WasiConfig};
pub use stdio::OutputBuffer;
pub(crate) use stdio::OutputFile;

use super::{Context, Outcome, text};
use crate::error::Error;
use crate::hypervisor::Gva;
use crate::machine::CancelState;
use std::pin::pin;
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wasmtime_wasi::runtime::{in_tokio, poll_noop};
use wrt_abi::Status;
use wrt_abi::mailbox::{REQUEST_ARGS, Response};
use wrt_abi::wasi::{FIRST_ARGUMENT, FunctionId};

/// Bytes that one call may make the host allocate on the guest's behalf.
const ALLOCATION_MAX: usize = 128 << 20;

/// The errno of a function that did what it was asked to.
const SUCCESS: i32 = 0;

/// Arguments of a function.
pub(super) type Arguments = [u64; REQUEST_ARGS - FIRST_ARGUMENT];

/// The WASI world of one VM.
pub(crate) struct Wasi {
    world: WasiP1Ctx,
    program: Option<String>,
    /// Files and directories that it has opened.
    opened: opening::Opened,
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
        let (opened, streams) = (opening::Opened::default(), stdio::Streams::new(config));
        Ok(Self { world: config.build()?, program, opened, streams })
    }

    /// The program's name, if it has one.
    pub(crate) fn program(&self) -> Option<&str> {
        self.program.as_deref()
    }
}

/// Serves one function.
pub(super) fn serve(args: &[u64; REQUEST_ARGS], context: Context<'_>) -> Result<Outcome, Error> {
    let [index, base, len, arguments @ ..] = *args;
    let Some(function) = FunctionId::from_index(index) else {
        return Ok(Outcome::status(Status::Invalid, 0));
    };
    let Ok(memory) = context.memory.slice(Gva(base), len) else {
        return Ok(Outcome::status(Status::Invalid, 0));
    };
    let Wasi { world, opened, streams, .. } = &mut context.services.wasi;
    if let Some(result) = streams.serve(function, memory, &arguments, context.cancel)? {
        return Ok(outcome(result));
    }
    world.set_hostcall_fuel(allocation_max(function));
    let call = async {
        if function == FunctionId::PathOpen
            && let Some(refusal) = opened.refuses(world, memory, &arguments).await
        {
            return Ok(refusal as i32);
        }
        let mut memory = wiggle::GuestMemory::Unshared(memory);
        if function == FunctionId::PollOneoff
            && let Some(sleep) = sleep::Sleep::parse(&memory, &arguments)
        {
            return sleep.run(&mut memory).await;
        }
        if function == FunctionId::FdPread {
            return pread::pread(world, &mut memory, &arguments).await;
        }
        raw::call(world, &mut memory, function, &arguments).await
    };
    let result = wait(call, function, context.cancel)?;
    if let Ok(SUCCESS) = result {
        opened.count(function, &arguments);
        streams.count(function, &arguments);
    }
    Ok(outcome(result))
}

/// Bytes that a call of this function may make the host allocate, by `wasmtime-wasi`'s count.
fn allocation_max(function: FunctionId) -> usize {
    match function {
        // They move bytes between the program's memory and a file, however many: nothing is
        // allocated.
        FunctionId::FdRead | FunctionId::FdPread | FunctionId::FdWrite | FunctionId::FdPwrite => {
            usize::MAX
        }
        _ => ALLOCATION_MAX,
    }
}

/// What a function's result is to the guest: an errno, the program's exit, or a trap.
fn outcome(result: wiggle::error::Result<i32>) -> Outcome {
    match result {
        Ok(value) => Outcome::status(Status::Ok, u64::from(value.cast_unsigned())),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(&I32Exit(code)) => Outcome::status(Status::Exit, u64::from(code.cast_unsigned())),
            None => {
                let response = Response { status: Status::Trap as u32, ..Response::default() };
                let reason = text::printable(format!("{error:#}").as_bytes());
                Outcome::Respond(response, reason.into_bytes())
            }
        },
    }
}

/// Drives a call to its end, or to the moment the VM's call is interrupted.
///
/// Nearly every call is ready at once. Only one that has to wait pays for a runtime.
fn wait<F: Future>(
    call: F,
    function: FunctionId,
    cancel: &CancelState,
) -> Result<F::Output, Error> {
    let mut call = pin!(call);
    // Timers are made inside the runtime that drives them.
    if function != FunctionId::PollOneoff
        && let Some(result) = poll_noop(call.as_mut())
    {
        return Ok(result);
    }
    in_tokio(async {
        tokio::select! {
            biased;
            result = call => Ok(result),
            why = cancel.interrupted() => Err(Error::Interrupted(why)),
        }
    })
}

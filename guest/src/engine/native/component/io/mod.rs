//! `wasi:io`: streams over preview 1's descriptors, what can be waited for, and errors.
//!
//! Nothing is buffered: a write is done when it returns, or has failed. So every stream but
//! standard input is always ready.

mod poll;
mod streams;

pub use poll::Pollable;
pub use streams::{InputStream, OutputStream, Sink, Source, StreamError};

use super::Wasi;
use super::bindings::wasi::io::error;
use super::failure::describe;
use alloc::string::String;
use wasmtime::Result;
use wasmtime::component::Resource;
use wrt_abi::services::wasi::Errno;

/// Preview 1's standard streams.
pub const STDIN: u32 = 0;
pub const STDOUT: u32 = 1;
pub const STDERR: u32 = 2;

impl error::Host for Wasi {}

impl error::HostError for Wasi {
    fn to_debug_string(&mut self, error: Resource<Errno>) -> Result<String> {
        Ok(describe(*self.table.get(&error)?))
    }

    fn drop(&mut self, error: Resource<Errno>) -> Result<()> {
        self.table.delete(error)?;
        Ok(())
    }
}

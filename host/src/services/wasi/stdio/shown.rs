//! What `wasmtime-wasi` is told of the standard streams.
//!
//! It answers what a program asks about them: whether they are terminals, and when there is
//! something to read. It moves no bytes.

use super::arrival;
use crate::world::{Output, Stdin};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, empty};
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// A standard stream as it looks.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Shown {
    terminal: bool,
    /// Whether input has to be waited for.
    waits: bool,
}

/// The program's standard input.
pub(in super::super) fn shown_input(stdin: &Stdin) -> Shown {
    let inherited = matches!(stdin, Stdin::Inherit);
    Shown { terminal: inherited && std::io::stdin().is_terminal(), waits: inherited }
}

/// The program's standard output, or its standard error.
pub(in super::super) fn shown_output(output: &Output, terminal: bool) -> Shown {
    Shown { terminal: terminal && matches!(output, Output::Inherit), waits: false }
}

impl IsTerminal for Shown {
    fn is_terminal(&self) -> bool {
        self.terminal
    }
}

impl StdinStream for Shown {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(*self)
    }
}

impl StdoutStream for Shown {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(empty())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(*self)
    }
}

#[async_trait]
impl Pollable for Shown {
    async fn ready(&mut self) {
        if self.waits {
            arrival::of_input().await;
        }
    }
}

impl InputStream for Shown {
    fn read(&mut self, _: usize) -> StreamResult<Bytes> {
        Err(StreamError::Closed)
    }
}

impl OutputStream for Shown {
    fn write(&mut self, _: Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

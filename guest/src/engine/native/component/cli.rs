//! `wasi:cli`: what a program is given, its standard streams, and its end.

use super::Wasi;
use super::bindings::wasi::cli::{
    environment, exit, stderr, stdin, stdout, terminal_input, terminal_output, terminal_stderr,
    terminal_stdin, terminal_stdout,
};
use super::io::{InputStream, OutputStream, STDERR, STDIN, STDOUT, Sink, Source};
use crate::engine::native::imports::Exit;
use alloc::string::String;
use alloc::vec::Vec;
use wasmtime::component::Resource;
use wasmtime::{Error, Result};
use wrt_abi::services::wasi::Filetype;
use wrt_abi::services::wasi::FunctionId;

/// A terminal, of which there is nothing to know.
#[derive(Debug)]
pub struct Terminal;

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| Error::msg("the host has a string that is not UTF-8"))
}

impl environment::Host for Wasi {
    fn get_environment(&mut self) -> Result<Vec<(String, String)>> {
        let variables = self.host.strings(FunctionId::EnvironSizesGet, FunctionId::EnvironGet)?;
        variables
            .into_iter()
            .map(|variable| {
                let variable = text(variable)?;
                let (name, value) = variable.split_once('=').unwrap_or((&variable, ""));
                Ok((name.into(), value.into()))
            })
            .collect()
    }

    fn get_arguments(&mut self) -> Result<Vec<String>> {
        let arguments = self.host.strings(FunctionId::ArgsSizesGet, FunctionId::ArgsGet)?;
        arguments.into_iter().map(text).collect()
    }

    fn initial_cwd(&mut self) -> Result<Option<String>> {
        // Preview 1 has none either: programs begin at the directory that they call `/` or `.`.
        Ok(None)
    }
}

impl exit::Host for Wasi {
    fn exit(&mut self, status: core::result::Result<(), ()>) -> Result<()> {
        Err(Exit(status.is_err().into()).into())
    }

    fn exit_with_code(&mut self, code: u8) -> Result<()> {
        Err(Exit(code.into()).into())
    }
}

impl stdin::Host for Wasi {
    fn get_stdin(&mut self) -> Result<Resource<InputStream>> {
        Ok(self.table.push(InputStream::new(Source::Stdin))?)
    }
}

impl stdout::Host for Wasi {
    fn get_stdout(&mut self) -> Result<Resource<OutputStream>> {
        Ok(self.table.push(OutputStream::new(Sink::Standard(STDOUT)))?)
    }
}

impl stderr::Host for Wasi {
    fn get_stderr(&mut self) -> Result<Resource<OutputStream>> {
        Ok(self.table.push(OutputStream::new(Sink::Standard(STDERR)))?)
    }
}

impl Wasi {
    fn terminal(&mut self, fd: u32) -> Result<Option<Resource<Terminal>>> {
        match self.host.fdstat(fd)?.filetype {
            Filetype::CharacterDevice => Ok(Some(self.table.push(Terminal)?)),
            _ => Ok(None),
        }
    }
}

impl terminal_input::Host for Wasi {}

impl terminal_input::HostTerminalInput for Wasi {
    fn drop(&mut self, terminal: Resource<Terminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_output::Host for Wasi {}

impl terminal_output::HostTerminalOutput for Wasi {
    fn drop(&mut self, terminal: Resource<Terminal>) -> Result<()> {
        self.table.delete(terminal)?;
        Ok(())
    }
}

impl terminal_stdin::Host for Wasi {
    fn get_terminal_stdin(&mut self) -> Result<Option<Resource<Terminal>>> {
        self.terminal(STDIN)
    }
}

impl terminal_stdout::Host for Wasi {
    fn get_terminal_stdout(&mut self) -> Result<Option<Resource<Terminal>>> {
        self.terminal(STDOUT)
    }
}

impl terminal_stderr::Host for Wasi {
    fn get_terminal_stderr(&mut self) -> Result<Option<Resource<Terminal>>> {
        self.terminal(STDERR)
    }
}

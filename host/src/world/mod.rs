//! What a program gets to see: arguments, environment, directories, standard streams.

use super::descriptors;
use crate::error::Error;
use crate::hypercall::wasi::stdio::{OutputBuffer, OutputFile, shown_input, shown_output};
use crate::jail::{Inside, Jail};
use crate::module::Module;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p1::WasiP1Ctx;
use wrt_platform::descriptors::is_out_of_descriptors;
use wrt_platform::files::NAMED;
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Line;

/// The error of a directory.
pub(crate) fn cannot_open(what: impl fmt::Display, why: impl fmt::Display) -> Error {
    Error::Wasi(format!("cannot open the directory {what} for the program: {why}"))
}

/// A program's WASI world. Empty at first: no arguments, no environment, no directory,
/// nothing to read, and whatever is written is dropped.
#[derive(Clone, Debug, Default)]
pub struct WasiConfig {
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) preopens: Vec<Preopen>,
    pub(super) stdin: Stdin,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) max_output: Option<u64>,
}

#[derive(Clone, Debug)]
pub(super) struct Preopen {
    pub(super) host: Directory,
    pub(super) guest: String,
    pub(super) read_only: bool,
    /// What it is in a jail. All clones share it.
    pub(super) inside: Inside,
}

impl Preopen {
    pub(super) fn new(host: Directory, guest: String, read_only: bool) -> Self {
        Self { host, guest, read_only, inside: Inside::default() }
    }
}

/// A directory of the host.
#[derive(Clone, Debug)]
pub(super) enum Directory {
    /// By its path.
    At(PathBuf),
    /// Open already.
    Open(Arc<OwnedFd>),
}

/// Where a program's standard input comes from.
#[derive(Clone, Debug, Default)]
pub enum Stdin {
    /// Nowhere: it is at its end.
    #[default]
    Empty,
    /// This process's own.
    Inherit,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A module's bytes.
    Module(Module),
    /// Bytes on pages of their own.
    #[doc(hidden)]
    Shared(Arc<SharedBytes>),
}

/// Where a program's standard output or error goes.
#[derive(Clone, Debug, Default)]
pub enum Output {
    /// Nowhere.
    #[default]
    Discard,
    /// This process's own. Each write goes straight to the descriptor: what this process has
    /// buffered for it comes later, unless it is flushed before.
    Inherit,
    /// Into a buffer.
    Capture(OutputBuffer),
    /// Into a file that its maker takes over.
    #[doc(hidden)]
    File(OutputFile),
}

impl WasiConfig {
    /// An empty world.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument. The first is the program's name.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Opens a directory of the host to the program, under the name `guest`.
    pub fn dir(mut self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        let host = Directory::At(host.into());
        self.preopens.push(Preopen::new(host, guest.into(), false));
        self
    }

    /// As [`Self::dir`], but nothing below can be changed.
    pub fn read_only_dir(mut self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        let host = Directory::At(host.into());
        self.preopens.push(Preopen::new(host, guest.into(), true));
        self
    }

    /// Sets where standard input comes from.
    pub fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    /// Sets where standard output goes.
    pub fn stdout(mut self, stdout: Output) -> Self {
        self.stdout = stdout;
        self
    }

    /// Sets where standard error goes.
    pub fn stderr(mut self, stderr: Output) -> Self {
        self.stderr = stderr;
        self
    }

    /// Bounds what the program may write to standard output and standard error together.
    ///
    /// A program that writes more ends there, with
    /// [`Error::OutputLimit`](crate::Error::OutputLimit); what fits is written before.
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.max_output = Some(bytes);
        self
    }

    /// This process's own standard streams.
    pub fn inherit_stdio(self) -> Self {
        self.stdin(Stdin::Inherit).stdout(Output::Inherit).stderr(Output::Inherit)
    }

    /// Opens this world's directories in a jail.
    pub(crate) fn open_in(&self, jail: Jail) -> Jail {
        self.preopens.iter().fold(jail, |jail, Preopen { host, read_only, inside, .. }| {
            let inside = Arc::clone(inside);
            match host {
                Directory::At(path) => jail.directory(path, !read_only, inside),
                Directory::Open(directory) => {
                    jail.descriptor(directory.as_fd(), !read_only, inside)
                }
            }
        })
    }

    /// Whether it has directories.
    pub(crate) fn has_directories(&self) -> bool {
        !self.preopens.is_empty()
    }

    /// The program's name, if it has one.
    pub(crate) fn program(&self) -> Option<&str> {
        self.args.first().map(String::as_str)
    }

    /// The world without its directories.
    pub(super) fn build(&self) -> WasiP1Ctx {
        let mut builder = WasiCtxBuilder::new();
        builder.args(&self.args).envs(&self.env);
        let terminals = [std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
        builder
            .stdin(shown_input(&self.stdin))
            .stdout(shown_output(&self.stdout, terminals[0]))
            .stderr(shown_output(&self.stderr, terminals[1]));
        builder.build_p1()
    }

    /// The directories, open.
    pub(super) fn open_directories(&self) -> Result<Vec<descriptors::Directory>, Error> {
        self.preopens.iter().map(Preopen::open).collect()
    }
}

impl Preopen {
    fn open(&self) -> Result<descriptors::Directory, Error> {
        let Self { host, guest, read_only, inside } = self;
        // Opened anew, so that no other VM moves its position.
        let opened = match (inside.get(), host) {
            (Some(directory), _) => open_directory(directory.as_fd(), "."),
            (None, Directory::At(path)) => open_directory(CWD, path.as_path()),
            (None, Directory::Open(directory)) => open_directory(directory.as_fd(), "."),
        };
        let opened = opened.map_err(io::Error::from).map_err(|error| match host {
            _ if is_out_of_descriptors(&error) => Error::OutOfDescriptors(error),
            Directory::At(path) => cannot_open(Line(path.display()), error),
            Directory::Open(_) => cannot_open(Line(guest), error),
        })?;
        let directory = File::from(opened);
        Ok(descriptors::Directory::preopened(directory, guest.clone(), !read_only))
    }
}

/// Opens a directory, to read its entries if that is allowed.
fn open_directory(at: BorrowedFd<'_>, path: impl Arg + Copy) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    match openat(at, path, flags, Mode::empty()) {
        Err(Errno::ACCESS) => openat(at, path, flags | NAMED, Mode::empty()),
        opened => opened,
    }
}

//! What a program gets to see: arguments, environment, directories, standard streams.
//!
//! It is a description. The services make of it what calls work on, a jail keeps its directories
//! open, a worker gets it in a message.

mod buffer;
mod file;

pub use buffer::OutputBuffer;
pub(crate) use file::OutputFile;

use crate::error::Error;
use crate::module::Module;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use wrt_platform::descriptors::is_out_of_descriptors;
use wrt_platform::files::NAMED;
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Line;

/// What a directory is in a jail: a descriptor, if paths lead nowhere in it.
pub(crate) type Inside = Arc<OnceLock<OwnedFd>>;

/// The error of a directory.
pub(crate) fn cannot_open(what: impl fmt::Display, why: impl fmt::Display) -> Error {
    Error::Wasi(format!("cannot open the directory {what} for the program: {why}"))
}

/// A program's WASI world. Empty at first: no arguments, no environment, no directory,
/// nothing to read, and whatever is written is dropped.
#[derive(Clone, Debug, Default)]
pub struct WasiConfig {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) preopens: Vec<Preopen>,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) max_output: Option<u64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Preopen {
    pub(crate) host: Directory,
    pub(crate) guest: String,
    pub(crate) read_only: bool,
    /// What it is in a jail. All clones share it.
    pub(crate) inside: Inside,
}

impl Preopen {
    pub(crate) fn new(host: Directory, guest: String, read_only: bool) -> Self {
        Self { host, guest, read_only, inside: Inside::default() }
    }
}

/// A directory of the host.
#[derive(Clone, Debug)]
pub(crate) enum Directory {
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

    /// Whether it has directories.
    pub(crate) fn has_directories(&self) -> bool {
        !self.preopens.is_empty()
    }

    /// The program's name, if it has one.
    pub(crate) fn program(&self) -> Option<&str> {
        self.args.first().map(String::as_str)
    }
}

impl Preopen {
    /// Opens the directory.
    pub(crate) fn open(&self) -> Result<File, Error> {
        let Self { host, guest, inside, .. } = self;
        // Opened anew, so that no other VM moves its position.
        let opened = match (inside.get(), host) {
            (Some(directory), _) => open_directory(directory.as_fd(), "."),
            (None, Directory::At(path)) => open_directory(CWD, path.as_path()),
            (None, Directory::Open(directory)) => open_directory(directory.as_fd(), "."),
        };
        opened.map(File::from).map_err(io::Error::from).map_err(|error| match host {
            _ if is_out_of_descriptors(&error) => Error::OutOfDescriptors(error),
            Directory::At(path) => cannot_open(Line(path.display()), error),
            Directory::Open(_) => cannot_open(Line(guest), error),
        })
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

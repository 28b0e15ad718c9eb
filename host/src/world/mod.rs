//! What a program gets to see: arguments, environment, directories, standard streams.
//!
//! A [`WasiConfig`] describes it. It is opened once, where a VM is made or reset: the
//! services work on the open world, and a worker gets it in a message.

mod buffer;
mod file;
pub(crate) mod passing;

pub use buffer::OutputBuffer;
pub(crate) use file::OutputFile;

use crate::error::Error;
use crate::module::Module;
use passing::{Descriptor, STDERR, STDOUT};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::path::Arg;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use wrt_platform::descriptors::is_out_of_descriptors;
use wrt_platform::files::NAMED;
use wrt_platform::memory::SharedBytes;
use wrt_platform::text::Line;

/// A program's WASI world. Empty at first: no arguments, no environment, no directory,
/// nothing to read, and whatever is written is dropped.
#[derive(Clone, Debug, Default)]
pub struct WasiConfig {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) preopens: Vec<Preopen<Directory>>,
    pub(crate) stdin: Stdin,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    pub(crate) max_output: Option<u64>,
}

/// A directory that a program is given.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Preopen<D> {
    pub(crate) directory: D,
    /// Its name in the program's eyes.
    pub(crate) guest: String,
    pub(crate) access: Access,
}

/// What may be done below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Access {
    Read,
    ReadWrite,
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
    pub fn dir(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.preopen(host.into(), guest.into(), Access::ReadWrite)
    }

    /// As [`Self::dir`], but nothing below can be changed.
    pub fn read_only_dir(self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        self.preopen(host.into(), guest.into(), Access::Read)
    }

    fn preopen(mut self, host: PathBuf, guest: String, access: Access) -> Self {
        self.preopens.push(Preopen { directory: Directory::At(host), guest, access });
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
    /// [`Error::OutputLimit`]; what fits is written before.
    pub fn max_output(mut self, bytes: u64) -> Self {
        self.max_output = Some(bytes);
        self
    }

    /// This process's own standard streams.
    pub fn inherit_stdio(self) -> Self {
        self.stdin(Stdin::Inherit).stdout(Output::Inherit).stderr(Output::Inherit)
    }
}

/// A world that is open. What is in it is this one's alone: no other moves a directory's position.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct World {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) preopens: Vec<Preopen<Descriptor>>,
    pub(crate) stdin: Input,
    #[serde(serialize_with = "passing::write_output::<STDOUT, _>")]
    #[serde(deserialize_with = "passing::read_output::<STDOUT, _>")]
    pub(crate) stdout: Output,
    #[serde(serialize_with = "passing::write_output::<STDERR, _>")]
    #[serde(deserialize_with = "passing::read_output::<STDERR, _>")]
    pub(crate) stderr: Output,
    pub(crate) max_output: Option<u64>,
}

/// What a program reads.
#[derive(Debug)]
pub(crate) enum Input {
    /// This process's own input.
    Inherited,
    Bytes(Vec<u8>),
    Shared(Arc<SharedBytes>),
}

impl Input {
    /// The bytes that are there.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Inherited => &[],
            Self::Bytes(bytes) => bytes,
            Self::Shared(bytes) => bytes.as_slice(),
        }
    }
}

impl World {
    /// Opens a world.
    ///
    /// # Errors
    ///
    /// [`Error::Wasi`] when a directory cannot be opened or a word has a zero byte,
    /// [`Error::OutOfDescriptors`].
    pub(crate) fn open(config: &WasiConfig) -> Result<Self, Error> {
        let variables = config.env.iter().flat_map(|(name, value)| [name, value]);
        let names = config.preopens.iter().map(|preopen| &preopen.guest);
        let mut words = config.args.iter().chain(variables).chain(names);
        if let Some(word) = words.find(|word| word.contains('\0')) {
            let what = "has a zero byte, which would be its end to a program";
            return Err(Error::Wasi(format!("`{}` {what}", Line(word))));
        }
        let preopens = config.preopens.iter().map(|Preopen { directory, guest, access }| {
            let opened = directory.open().map_err(|error| match directory {
                _ if is_out_of_descriptors(&error) => Error::OutOfDescriptors(error),
                Directory::At(path) => cannot_open(Line(path.display()), error),
                Directory::Open(_) => cannot_open(Line(guest), error),
            });
            Ok(Preopen { directory: Descriptor(opened?), guest: guest.clone(), access: *access })
        });
        Ok(Self {
            preopens: preopens.collect::<Result<_, Error>>()?,
            args: config.args.clone(),
            env: config.env.clone(),
            stdin: match &config.stdin {
                Stdin::Empty => Input::Bytes(Vec::new()),
                Stdin::Inherit => Input::Inherited,
                Stdin::Bytes(bytes) => Input::Bytes(bytes.clone()),
                Stdin::Module(module) => Input::Shared(Arc::clone(module.bytes())),
                Stdin::Shared(bytes) => Input::Shared(Arc::clone(bytes)),
            },
            stdout: config.stdout.clone(),
            stderr: config.stderr.clone(),
            max_output: config.max_output,
        })
    }

    /// The program's name, if it has one.
    pub(crate) fn program(&self) -> Option<&str> {
        self.args.first().map(String::as_str)
    }

    /// Where standard output and standard error are captured, if they are.
    pub(crate) fn captures(&self) -> [Option<OutputBuffer>; 2] {
        [&self.stdout, &self.stderr].map(|output| match output {
            Output::Capture(buffer) => Some(buffer.clone()),
            Output::Discard | Output::Inherit | Output::File(_) => None,
        })
    }

    /// Which of its standard streams are this process's own.
    pub(crate) fn inherited(&self) -> [bool; 3] {
        let [output, error] =
            [&self.stdout, &self.stderr].map(|output| matches!(output, Output::Inherit));
        [matches!(self.stdin, Input::Inherited), output, error]
    }
}

/// The error of a directory.
pub(crate) fn cannot_open(what: impl fmt::Display, why: impl fmt::Display) -> Error {
    Error::Wasi(format!("cannot open the directory {what} for the program: {why}"))
}

impl Directory {
    /// Opens it anew, so that its position is this one's alone.
    fn open(&self) -> io::Result<OwnedFd> {
        match self {
            Self::At(path) => open_directory(CWD, path.as_path()),
            Self::Open(directory) => open_directory(directory.as_fd(), "."),
        }
    }
}

/// Opens a directory, to read its entries if that is allowed.
fn open_directory(at: BorrowedFd<'_>, path: impl Arg + Copy) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
    Ok(match openat(at, path, flags, Mode::empty()) {
        Err(Errno::ACCESS) => openat(at, path, flags | NAMED, Mode::empty())?,
        opened => opened?,
    })
}

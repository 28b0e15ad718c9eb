//! What a program gets to see: arguments, environment, directories, standard streams.

use crate::error::Error;
use crate::hypercall::wasi::stdio::{OutputBuffer, OutputFile, shown_input, shown_output};
use crate::jail::Jail;
use crate::module::Module;
use rustix::process::fchdir;
use std::fmt;
use std::io::IsTerminal as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wrt_platform::memory::SharedBytes;

/// The error of a directory.
pub(super) fn cannot_open(what: impl fmt::Display, why: impl fmt::Display) -> Error {
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
        self.preopens.push(Preopen { host, guest: guest.into(), read_only: false });
        self
    }

    /// As [`Self::dir`], but nothing below can be changed.
    pub fn read_only_dir(mut self, host: impl Into<PathBuf>, guest: impl Into<String>) -> Self {
        let host = Directory::At(host.into());
        self.preopens.push(Preopen { host, guest: guest.into(), read_only: true });
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
        self.preopens.iter().fold(jail, |jail, Preopen { host, read_only, .. }| match host {
            Directory::At(path) => jail.directory(path, !read_only),
            Directory::Open(directory) => jail.descriptor(directory.as_fd(), !read_only),
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

    pub(super) fn build(&self) -> Result<WasiP1Ctx, Error> {
        let mut builder = WasiCtxBuilder::new();
        // File operations run on the vCPU's thread: the guest waits for them anyway, and a
        // thread pool would cost more than most of them.
        builder.allow_blocking_current_thread(true).args(&self.args).envs(&self.env);
        let terminals = [std::io::stdout().is_terminal(), std::io::stderr().is_terminal()];
        builder
            .stdin(shown_input(&self.stdin))
            .stdout(shown_output(&self.stdout, terminals[0]))
            .stderr(shown_output(&self.stderr, terminals[1]));
        for Preopen { host, guest, read_only } in &self.preopens {
            let perms = if *read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
            let opened = match host {
                Directory::At(path) => builder.preopened_dir(path, guest, perms),
                Directory::Open(directory) => {
                    // It has no path that holds everywhere, but it can be where we are: this is
                    // a worker, which is nowhere in particular.
                    fchdir(directory).map_err(|error| cannot_open(guest, error))?;
                    builder.preopened_dir(".", guest, perms)
                }
            };
            opened.map_err(|error| match host {
                Directory::At(path) => cannot_open(path.display(), error.root_cause()),
                Directory::Open(_) => cannot_open(guest, error.root_cause()),
            })?;
        }
        Ok(builder.build_p1())
    }
}

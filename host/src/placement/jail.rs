//! The jail: what a process gives up, for ever, before a guest executes anything in it.
//!
//! Whoever breaks out of a VM finds themselves in the process that has it. Jailed, that process
//! has nothing to offer:
//!
//! | | in the jail |
//! |---|---|
//! | files | below the directories that were opened to the program, as they were opened to it |
//! | other names, sizes and times of files | none: its root directory is empty, and `..` ends at an opened directory |
//! | privileges | none; if root opens a directory of another user: to read all files below it (`CAP_DAC_READ_SEARCH`), and if it was opened to be written, to write them (`CAP_DAC_OVERRIDE`, `CAP_FOWNER`) |
//! | network, other processes, their memory, signals | none, but the guest's own child process on the `process` backend |
//! | new processes, other programs, new code | none |
//! | devices | the hypervisor that is open; no second one |
//! | the rest | what is open already: standard streams, a worker's sockets |
//!
//! It is entered by halves: names are closed before the VM is made, so that threads and children
//! of a backend are inside, and system calls after that. How each part is enforced, and what a
//! system is too old for, is [`wrt_platform::sandbox`]'s affair and is told by [`Jailed`].
//!
//! The `wrt-vm` program and [workers](crate::worker) enter it by themselves. A program that has
//! VMs in a process of its own can do the same:
//!
//! ```no_run
//! use wrt_vm::{Jail, MicroVm, WasiConfig};
//!
//! # fn main() -> Result<(), wrt_vm::Error> {
//! let hypervisor = wrt_vm::Backend::Auto.open()?;
//! let world = WasiConfig::new().dir("data", "/data");
//! let entrance = Jail::of(&world).close_names()?;
//! let vm = MicroVm::builder().wasi(world).build_on(hypervisor.as_ref())?;
//! println!("{}", entrance.enter(&vm)?);
//! # Ok(()) }
//! ```
//!
//! Directories are opened when it is entered, and have no paths afterwards: a world that a VM gets
//! in the jail, by [`MicroVm::reset_with`], has them from the world that the jail was made of, of
//! which it is a clone. An empty root takes a process of one thread, unless it is root's.

use super::worker;
use crate::error::Error;
use crate::machine;
use crate::world::{Directory, Inside, Preopen, WasiConfig, cannot_open};
use rustix::fs::FileType;
use rustix::process::geteuid;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wrt_platform::sandbox::{Closing, Enforced, Profile, ProfileBuilder, ProfileError, Sandbox};
use wrt_platform::text::Line;

/// A jail to enter: what stays possible in it.
#[derive(Debug)]
pub struct Jail {
    profile: ProfileBuilder,
    /// What becomes of the places of the profile, in their order.
    inside: Vec<Inside>,
    /// Which place is the cache's.
    cache: Option<PathBuf>,
}

impl Jail {
    /// One in which a program can have this world, and nothing else.
    pub fn of(world: &WasiConfig) -> Self {
        let profile = Profile::builder().deny_all().allow_hypervisor();
        let empty = Self { profile, inside: Vec::new(), cache: None };
        world.preopens.iter().fold(empty, |jail, Preopen { host, read_only, inside, .. }| {
            let inside = Arc::clone(inside);
            match host {
                Directory::At(path) => jail.directory(path, !read_only, inside),
                Directory::Open(directory) => {
                    jail.descriptor(directory.as_fd(), !read_only, inside)
                }
            }
        })
    }

    /// Lets files of a code cache's directory be removed from inside, but neither read nor written.
    pub(crate) fn removal(mut self, cache: &Path, inside: Inside) -> Self {
        self.profile = self.profile.allow_file_removal(&[cache]);
        self.inside.push(inside);
        self.cache = Some(cache.to_owned());
        self
    }

    /// Opens a directory in it.
    fn directory(mut self, path: &Path, write: bool, inside: Inside) -> Self {
        self.profile = match write {
            true => self.profile.allow_file_read_write(&[path]),
            false => self.profile.allow_file_read(&[path]),
        };
        self.inside.push(inside);
        self.with_files_of(rustix::fs::stat(path), write)
    }

    /// Opens a directory in it that is open already.
    fn descriptor(mut self, directory: BorrowedFd<'_>, write: bool, inside: Inside) -> Self {
        self.profile = self.profile.allow_descriptor(directory, write);
        self.inside.push(inside);
        self.with_files_of(rustix::fs::fstat(directory), write)
    }

    /// Leaves root its rights over files of other users, if a directory belongs to one: it was
    /// opened as root sees it.
    fn with_files_of(
        mut self,
        directory: rustix::io::Result<rustix::fs::Stat>,
        write: bool,
    ) -> Self {
        let user = geteuid();
        if user.is_root() && directory.is_ok_and(|found| found.st_uid != user.as_raw()) {
            self.profile = self.profile.allow_files_of_others(write);
        }
        self
    }

    /// Closes names, for this thread and those that it makes: nothing but what stays possible
    /// can be opened any more.
    ///
    /// # Errors
    ///
    /// [`Error::Wasi`] when a directory of the world cannot be opened; [`Error::Jail`] when the
    /// system refuses, or a standard stream is a directory.
    pub fn close_names(self) -> Result<Entrance, Error> {
        let Self { profile, inside, cache } = self;
        refuse_directories(&[
            (io::stdin().as_fd(), "input"),
            (io::stdout().as_fd(), "output"),
            (io::stderr().as_fd(), "error"),
        ])?;
        let profile = profile.build().map_err(|error| match error {
            ProfileError::Place { path, error } if cache.as_ref() == Some(&path) => {
                Error::Cache { dir: path, reason: error.to_string() }
            }
            ProfileError::Place { path, error } => cannot_open(Line(path.display()), error),
            other @ ProfileError::NothingDenied => Error::Jail(other.to_string()),
        })?;
        // A thread of ours that has nothing to do would be outside.
        machine::rest();
        worker::rest();
        let closing = Sandbox::close_names(profile).map_err(refused)?;
        for (place, inside) in closing.places().unwrap_or_default().iter().zip(inside) {
            // One that is set was set by a jail that this process is in already.
            let _ = inside.set(place.as_fd().try_clone_to_owned().map_err(refused)?);
        }
        Ok(Entrance { closing })
    }
}

/// The way into a jail, with names closed behind.
#[derive(Debug)]
#[must_use = "half a jail keeps nobody in"]
pub struct Entrance {
    closing: Closing,
}

impl Entrance {
    /// Closes system calls, too, for all threads of this process. `child` is the process that has
    /// the guest, if one has it.
    pub(crate) fn enter_with(self, child: Option<u32>) -> Result<Jailed, Error> {
        let closing = self.closing.allow_trace(child.as_slice());
        closing.close_calls().map(|enforced| Jailed { enforced }).map_err(refused)
    }
}

/// Refuses standard streams that are directories: `..` leads out of one that is open, wherever the
/// root is.
///
/// # Errors
///
/// [`Error::Jail`] for the first of them.
pub(crate) fn refuse_directories(streams: &[(BorrowedFd<'_>, &str)]) -> Result<(), Error> {
    for (stream, name) in streams {
        // One that is closed leads nowhere.
        let Ok(found) = rustix::fs::fstat(stream) else { continue };
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            return Err(refused(format_args!(
                "standard {name} is a directory, which leads out of it: redirect it to a file, a \
                 pipe or /dev/null, and give directories by --dir"
            )));
        }
    }
    Ok(())
}

fn refused(error: impl fmt::Display) -> Error {
    Error::Jail(error.to_string())
}

/// What a jail is worth on this system. Shows as one line.
#[derive(Debug)]
pub struct Jailed {
    enforced: Enforced,
}

impl Jailed {
    /// Whether every part is in force.
    pub fn is_complete(&self) -> bool {
        self.enforced.is_complete()
    }
}

impl fmt::Display for Jailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_complete() {
            f.write_str("complete")?;
            return match self.enforced.kept() {
                Some(kept) => write!(f, ", with {kept} for directories of other users"),
                None => Ok(()),
            };
        }
        let missing: Vec<String> =
            self.enforced.missing().map(|(part, why)| format!("{part}: {why}")).collect();
        write!(f, "incomplete ({})", missing.join("; "))
    }
}

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
//! let vm = MicroVm::builder().wasi(entrance.world()).build_on(hypervisor.as_ref())?;
//! println!("{}", entrance.enter(&vm)?);
//! # Ok(()) }
//! ```
//!
//! Directories have no paths afterwards, but are open in [`Entrance::world`]: so that, or what is made
//! of a clone of it, is the world of each VM in the jail, those of [`MicroVm::reset_with`] included. An
//! empty root takes a process of one thread, unless it is root's.
//!
//! [`MicroVm::reset_with`]: crate::MicroVm::reset_with

use super::worker;
use crate::error::Error;
use crate::machine;
use crate::world::{Access, Directory, Preopen, WasiConfig, World, cannot_open};
use rustix::fs::FileType;
use rustix::process::geteuid;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use wrt_platform::sandbox::{Closing, Enforced, Profile, ProfileBuilder, ProfileError, Sandbox};
use wrt_platform::text::Line;

/// What a directory is in a jail: a descriptor, if paths lead nowhere in it.
pub(crate) type Inside = Arc<OnceLock<OwnedFd>>;

/// A jail to enter: what stays possible in it.
#[derive(Debug)]
pub struct Jail {
    profile: ProfileBuilder,
    world: WasiConfig,
    /// A cache's directory.
    cache: Option<(PathBuf, Inside)>,
}

impl Jail {
    /// One in which a program can have this world, and nothing else.
    pub fn of(world: &WasiConfig) -> Self {
        let mut profile = Profile::builder().deny_all().allow_hypervisor();
        for Preopen { directory, access, .. } in &world.preopens {
            profile = match (directory, access) {
                (Directory::At(path), Access::Read) => profile.allow_file_read(&[path]),
                (Directory::At(path), Access::ReadWrite) => profile.allow_file_read_write(&[path]),
                (Directory::Open(directory), access) => {
                    profile.allow_descriptor(directory, *access == Access::ReadWrite)
                }
            };
            let found = match directory {
                Directory::At(path) => rustix::fs::stat(path),
                Directory::Open(directory) => rustix::fs::fstat(directory),
            };
            // Root keeps its rights over files of other users, if a directory belongs to one: it was
            // opened as root sees it.
            let user = geteuid();
            if user.is_root() && found.is_ok_and(|found| found.st_uid != user.as_raw()) {
                profile = profile.allow_files_of_others(*access == Access::ReadWrite);
            }
        }
        Self { profile, world: world.clone(), cache: None }
    }

    /// Lets files of a code cache's directory be removed from inside, but neither read nor written.
    pub(crate) fn removal(self, cache: &Path, inside: Inside) -> Self {
        let profile = self.profile.allow_file_removal(&[cache]);
        Self { profile, cache: Some((cache.to_owned(), inside)), ..self }
    }

    /// Closes names, for this thread and those that it makes: nothing but what stays possible
    /// can be opened any more.
    ///
    /// # Errors
    ///
    /// [`Error::Wasi`] when a directory of the world cannot be opened; [`Error::Jail`] when the
    /// system refuses, or a standard stream is a directory.
    pub fn close_names(self) -> Result<Entrance, Error> {
        let Self { profile, mut world, cache } = self;
        refuse_directories([true; 3])?;
        let profile = profile.build().map_err(|error| match (error, &cache) {
            (ProfileError::Place { path, error }, Some((cache, _))) if *cache == path => {
                Error::Cache { dir: path, reason: error.to_string() }
            }
            (ProfileError::Place { path, error }, _) => cannot_open(Line(path.display()), error),
            (other @ ProfileError::NothingDenied, _) => Error::Jail(other.to_string()),
        })?;
        // A thread of ours that has nothing to do would be outside.
        machine::rest();
        worker::rest();
        let closing = Sandbox::close_names(profile).map_err(refused)?;
        let mut places = closing.places().unwrap_or_default().iter();
        let mut place = || {
            let place = places.next().map(|place| place.as_fd().try_clone_to_owned());
            place.transpose().map_err(refused)
        };
        for preopen in &mut world.preopens {
            if let Some(place) = place()? {
                preopen.directory = Directory::Open(Arc::new(place));
            }
        }
        if let (Some((_, inside)), Some(place)) = (cache, place()?) {
            // One that is set was set by a jail that this process is in already.
            let _ = inside.set(place);
        }
        Ok(Entrance { closing, world })
    }

    /// Closes names around a world that is open, whose directories are those of the jail then.
    pub(crate) fn close_around(world: &mut World) -> Result<Entrance, Error> {
        let mut described = WasiConfig::new();
        for Preopen { directory, guest, access } in world.preopens.drain(..) {
            let directory = Directory::Open(Arc::new(directory.0));
            described.preopens.push(Preopen { directory, guest, access });
        }
        let entrance = Self::of(&described).close_names()?;
        drop(described);
        world.preopens = World::open(&entrance.world)?.preopens;
        Ok(entrance)
    }
}

/// The way into a jail, with names closed behind.
#[derive(Debug)]
#[must_use = "half a jail keeps nobody in"]
pub struct Entrance {
    closing: Closing,
    world: WasiConfig,
}

impl Entrance {
    /// The world that the jail was made of, as it is inside: directories that have no paths there
    /// are open.
    pub fn world(&self) -> WasiConfig {
        self.world.clone()
    }

    /// Closes system calls, too, for all threads of this process. `child` is the process that has
    /// the guest, if one has it.
    pub(crate) fn enter_with(self, child: Option<u32>) -> Result<Jailed, Error> {
        let closing = self.closing.allow_trace(child.as_slice());
        closing.close_calls().map(|enforced| Jailed { enforced }).map_err(refused)
    }
}

/// Refuses those of the standard streams that are wanted and are directories: `..` leads out of one that is open, wherever the
/// root is.
///
/// # Errors
///
/// [`Error::Jail`] for the first of them.
pub(crate) fn refuse_directories(wanted: [bool; 3]) -> Result<(), Error> {
    let (input, output, error) = (io::stdin(), io::stdout(), io::stderr());
    let streams = [(input.as_fd(), "input"), (output.as_fd(), "output"), (error.as_fd(), "error")];
    for ((stream, name), _) in streams.into_iter().zip(wanted).filter(|(_, wanted)| *wanted) {
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

//! What to deny: data, checked when it is built.

use crate::text::Line;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Signals that a profile may let out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Asks to end.
    Term,
    /// Ends.
    Kill,
    /// As Ctrl-C does.
    Interrupt,
    /// The first that is free for users.
    User1,
    /// The second.
    User2,
}

impl Signal {
    /// The system's number for it.
    pub fn number(self) -> i32 {
        match self {
            Self::Term => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
            Self::Interrupt => libc::SIGINT,
            Self::User1 => libc::SIGUSR1,
            Self::User2 => libc::SIGUSR2,
        }
    }
}

/// A file or directory with all below it, held open: it means what it meant when the profile
/// was built, whatever its name comes to mean.
#[derive(Debug)]
pub struct Place {
    pub(super) file: OwnedFd,
    /// What it was called, if it was opened by a name.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "macOS tells paths of files"))]
    pub(super) path: Option<PathBuf>,
    pub(super) purpose: Purpose,
}

impl AsFd for Place {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// What an allowed place is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reading files and listing directories.
    Read,
    /// The same, and changing them.
    ReadWrite,
    /// Removing files, and nothing else.
    Remove,
}

/// What root keeps of its rights over files of other users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OfOthers {
    #[default]
    No,
    Read,
    ReadWrite,
}

/// Why a profile is none.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// An allowed place cannot be opened. Leave it out, or make it.
    #[error("cannot open {}: {error}", Line(path.display()))]
    Place {
        /// The place.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Writing is not denied, so that allowing it somewhere says nothing.
    #[error("a profile allows writing in some places without denying it elsewhere")]
    NothingDenied,
}

/// What a process gives up. Whatever it says, these are denied where the system lists its
/// calls (Linux): `io_uring`, `bpf`, `perf_event_open`, keyrings, mounts, namespaces, modules,
/// `ptrace` but of [named children](ProfileBuilder::allow_trace), the memory of other
/// processes, and devices that are opened later.
#[derive(Debug, Default)]
pub struct Profile {
    pub(super) network: bool,
    pub(super) reads: bool,
    pub(super) writes: bool,
    pub(super) fork: bool,
    pub(super) exec: bool,
    pub(super) ipc: bool,
    pub(super) executable_memory: bool,
    pub(super) paths: bool,
    pub(super) files_of_others: OfOthers,
    pub(super) hypervisor: bool,
    pub(super) kill: bool,
    pub(super) places: Vec<Place>,
    pub(super) signals: Vec<Signal>,
    pub(super) traced: Vec<u32>,
    pub(super) open_files: Option<u64>,
}

/// Collects what a [`Profile`] denies and allows. Nothing named is nothing denied, but for what
/// every profile denies.
#[derive(Debug, Default)]
#[must_use]
pub struct ProfileBuilder {
    profile: Profile,
    wanted: Vec<(Wanted, Purpose)>,
    error: Option<ProfileError>,
}

/// A place that is allowed.
#[derive(Debug)]
enum Wanted {
    Path(PathBuf),
    Open(OwnedFd),
}

impl Profile {
    /// An empty one.
    pub fn builder() -> ProfileBuilder {
        ProfileBuilder::default()
    }

    /// Whether signals to any other process are denied.
    pub(super) fn confines_signals(&self) -> bool {
        self.signals.is_empty() && self.traced.is_empty()
    }
}

impl ProfileBuilder {
    /// No sockets but those that are open already, and pairs; on Linux local ones are a matter of
    /// [`Self::deny_ipc`].
    pub fn deny_network(mut self) -> Self {
        self.profile.network = true;
        self
    }

    /// No reading of files but in allowed places. Names, sizes and times can still be asked
    /// for, until [`Self::deny_paths`].
    pub fn deny_file_read_all(mut self) -> Self {
        self.profile.reads = true;
        self
    }

    /// No changing of files but in allowed places.
    pub fn deny_file_write_all(mut self) -> Self {
        self.profile.writes = true;
        self
    }

    /// Reading is denied but in these places, directories with all below them.
    pub fn allow_file_read<P: AsRef<Path>>(mut self, paths: &[P]) -> Self {
        self.profile.reads = true;
        self.add(paths, Purpose::Read)
    }

    /// Reading and writing are allowed in these places, which needs
    /// [`Self::deny_file_write_all`] to say anything.
    pub fn allow_file_read_write<P: AsRef<Path>>(self, paths: &[P]) -> Self {
        self.add(paths, Purpose::ReadWrite)
    }

    /// Files can be removed from these directories, but neither read nor made, which needs
    /// [`Self::deny_file_write_all`] to say anything.
    pub fn allow_file_removal<P: AsRef<Path>>(self, directories: &[P]) -> Self {
        self.add(directories, Purpose::Remove)
    }

    fn add<P: AsRef<Path>>(mut self, paths: &[P], purpose: Purpose) -> Self {
        let paths = paths.iter().map(|path| Wanted::Path(path.as_ref().to_owned()));
        self.wanted.extend(paths.map(|path| (path, purpose)));
        self
    }

    /// As the two above, for what is open already: exactly that directory, whatever its name
    /// means by now.
    pub fn allow_descriptor(mut self, file: impl AsFd, write: bool) -> Self {
        match file.as_fd().try_clone_to_owned() {
            Ok(file) => {
                let purpose = if write { Purpose::ReadWrite } else { Purpose::Read };
                self.wanted.push((Wanted::Open(file), purpose));
            }
            Err(error) => {
                let path = PathBuf::from("an open directory");
                self.error.get_or_insert(ProfileError::Place { path, error });
            }
        }
        self
    }

    /// No new processes. Threads stay.
    pub fn deny_process_fork(mut self) -> Self {
        self.profile.fork = true;
        self
    }

    /// No other programs.
    pub fn deny_process_exec(mut self) -> Self {
        self.profile.exec = true;
        self
    }

    /// No talk with other processes of this machine: Mach services and their kin on macOS,
    /// local sockets, shared memory and message queues on Linux.
    #[doc(alias = "deny_mach_lookup")]
    pub fn deny_ipc(mut self) -> Self {
        self.profile.ipc = true;
        self
    }

    /// No memory becomes executable any more. Libraries cannot be loaded either.
    pub fn deny_executable_memory(mut self) -> Self {
        self.profile.executable_memory = true;
        self
    }

    /// No path leads anywhere any more: not to a file, nor to its name, size or times. What is
    /// allowed is reached by the descriptors that [`Closing::places`](super::Closing::places)
    /// has. On Linux the process gets an empty root directory, where the system lets it; a
    /// process of one thread has the best prospects.
    pub fn deny_paths(mut self) -> Self {
        self.profile.paths = true;
        self
    }

    /// All of these denials: what is left is what is allowed besides.
    pub fn deny_all(self) -> Self {
        self.deny_network()
            .deny_file_read_all()
            .deny_file_write_all()
            .deny_process_fork()
            .deny_process_exec()
            .deny_ipc()
            .deny_executable_memory()
            .deny_paths()
    }

    /// Files of other users stay root's to read in the allowed places, and to write if `write`,
    /// which takes capabilities that root gives up otherwise:
    /// [`Enforced::kept`](super::Enforced::kept) names them. For others than root this says nothing.
    pub fn allow_files_of_others(mut self, write: bool) -> Self {
        let right = if write { OfOthers::ReadWrite } else { OfOthers::Read };
        self.profile.files_of_others = self.profile.files_of_others.max(right);
        self
    }

    /// The hypervisor may be used through what is open already.
    pub fn allow_hypervisor(mut self) -> Self {
        self.profile.hypervisor = true;
        self
    }

    /// This signal may be sent to any process; without any, signals stay in this process.
    pub fn allow_signal(mut self, signal: Signal) -> Self {
        self.profile.signals.push(signal);
        self
    }

    /// The process goes on tracing these children, which it traces already, and signals them.
    /// One that is made when the [first half](super::Sandbox::close_names) of the sandbox is
    /// entered is named [then](super::Closing::allow_trace).
    pub fn allow_trace(mut self, children: &[u32]) -> Self {
        self.profile.traced.extend_from_slice(children);
        self
    }

    /// A system call that only an attacker makes ends the process instead of failing.
    pub fn kill_on_attack(mut self) -> Self {
        self.profile.kill = true;
        self
    }

    /// At most so many files are open at a time.
    pub fn limit_open_files(mut self, files: u64) -> Self {
        self.profile.open_files = Some(files);
        self
    }

    /// The profile.
    ///
    /// # Errors
    ///
    /// When an allowed place is not there, unless files were to be removed from it, or writing is allowed in places and denied nowhere.
    pub fn build(mut self) -> Result<Profile, ProfileError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        for (wanted, purpose) in self.wanted {
            let (file, path) = match wanted {
                Wanted::Open(file) => (file, None),
                Wanted::Path(path) => match super::sys::open_place(&path) {
                    Ok(file) => (file.into(), Some(path)),
                    // Nothing is left there to be removed.
                    Err(error)
                        if purpose == Purpose::Remove
                            && error.kind() == io::ErrorKind::NotFound =>
                    {
                        continue;
                    }
                    Err(error) => return Err(ProfileError::Place { path, error }),
                },
            };
            self.profile.places.push(Place { file, path, purpose });
        }
        if !self.profile.writes
            && self.profile.places.iter().any(|place| place.purpose != Purpose::Read)
        {
            return Err(ProfileError::NothingDenied);
        }
        Ok(self.profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_not_there_is_named() {
        let error = Profile::builder().allow_file_read(&["/not/there"]).build().unwrap_err();
        assert!(error.to_string().contains("/not/there"), "{error}");
    }

    #[test]
    fn a_place_to_remove_files_from_may_be_gone() {
        let builder = Profile::builder().deny_file_write_all();
        let profile = builder.allow_file_removal(&["/not/there"]).build().unwrap();
        assert!(profile.places.is_empty());
    }

    #[test]
    fn allowing_to_write_needs_a_denial() {
        let error = Profile::builder().allow_file_read_write(&["/tmp"]).build().unwrap_err();
        assert!(matches!(error, ProfileError::NothingDenied));
    }
}

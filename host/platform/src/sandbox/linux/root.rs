//! An empty root directory: no path leads to a file any more.
//!
//! Landlock keeps files from being opened for reading and writing. It has no say in what needs no
//! open file: asking for names, sizes and times, following links, setting times and modes. A
//! filter of system calls does not see paths. So the process gets a root directory with nothing in
//! it, and what it may use it has by descriptors.
//!
//! | what the system grants | the root | an opened directory |
//! |---|---|---|
//! | a mount namespace, to root or within a user namespace | an empty file system, over the old root | a mount of its own: `..` ends there, and a read-only one cannot be changed in any way |
//! | `chroot` alone (root in most containers) | the directory of a thread that has ended, which is empty | `..` leads out of it, to names, sizes and times |
//! | neither | stays | the same |
//!
//! A user namespace takes a process of one thread. In it, only this user and group have numbers,
//! and those stay what they are.

use super::super::profile::{Place, Purpose};
use super::super::{Profile, SandboxError};
use super::{capabilities, mounts};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat};
use rustix::process::{chdir, chroot, fchdir, getegid, geteuid};
use rustix::thread::{CapabilitySet, UnshareFlags, unshare_unsafe};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a thread that has ended may be seen.
const FORGET: Duration = Duration::from_secs(1);

/// What came of the wish for an empty root.
#[derive(Debug)]
pub(in crate::sandbox) enum Root {
    /// Nobody asked.
    Unasked,
    /// No path leads anywhere.
    Empty {
        /// By what.
        by: &'static str,
        /// What leads out all the same, if something does.
        lacking: Option<String>,
    },
    /// Paths lead where they did.
    Full {
        /// Why.
        why: String,
    },
}

impl Root {
    /// Whether an absolute path leads nowhere.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty { .. })
    }

    /// Whether no path at all leads out, be it of an opened directory.
    pub(super) fn is_a_wall(&self) -> bool {
        matches!(self, Self::Empty { lacking: None, .. })
    }
}

/// Gives the process an empty root, and the profile's places descriptors that are good for use
/// there.
///
/// # Errors
///
/// When it is neither here nor there: the process should end then.
pub(super) fn enter(profile: &mut Profile) -> Result<Root, SandboxError> {
    if !profile.paths {
        return Ok(Root::Unasked);
    }
    let why = match own_mounts() {
        Ok(Mounts { by, free_threads }) => match move_in(profile) {
            Ok(lacking) => return Ok(Root::Empty { by, lacking: free_threads.or(lacking) }),
            Err(error) => format!("it does not let this process change its own mounts: {error}"),
        },
        Err(why) => why,
    };
    if !capabilities::has(CapabilitySet::SYS_CHROOT) {
        return Ok(Root::Full { why });
    }
    match chroot_to_nothing() {
        Ok(()) => {
            let lacking = (!profile.places.is_empty()).then(|| {
                format!("`..` leads out of opened directories, to names, sizes and times: {why}")
            });
            Ok(Root::Empty { by: "chroot to an empty directory", lacking })
        }
        Err(error) => Ok(Root::Full { why: format!("{why}; chroot: {error}") }),
    }
}

/// A mount namespace of this process's own.
struct Mounts {
    by: &'static str,
    /// Who is not in it.
    free_threads: Option<String>,
}

/// Makes one in which this process may mount, or says why there is none.
fn own_mounts() -> Result<Mounts, String> {
    if capabilities::has(CapabilitySet::SYS_ADMIN) {
        // SAFETY: the threads of a process share no memory with their mounts.
        let unshared = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
        // Else what is mounted here would be mounted everywhere.
        if unshared.is_ok() && mounts::make_private().is_ok() {
            let older = super::rules::threads() - 1;
            let free_threads = (older > 0).then(|| {
                format!("{older} threads were there before and keep the old root directory")
            });
            return Ok(Mounts { by: "an empty root (mount namespace)", free_threads });
        }
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: as above.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) }.map_err(|errno| {
        let why = match super::rules::threads() {
            // The kernel says the same of flags that it does not know.
            count @ 2.. if errno == rustix::io::Errno::INVAL => {
                return format!(
                    "{count} threads are there, and a user namespace takes a process of one: \
                     enter before threads are made"
                );
            }
            _ => io::Error::from(errno),
        };
        format!("the system grants no user namespace: {why}")
    })?;
    // Without these files users have no numbers here, and files belong to them all the same.
    let _ = fs::write("/proc/self/setgroups", "deny");
    let _ = fs::write("/proc/self/uid_map", format!("{user} {user} 1"));
    let _ = fs::write("/proc/self/gid_map", format!("{group} {group} 1"));
    Ok(Mounts { by: "an empty root (user and mount namespace)", free_threads: None })
}

/// Replaces the root by an empty file system, and places by mounts of their own. Says what places
/// remained what they were.
fn move_in(profile: &mut Profile) -> io::Result<Option<String>> {
    let empty = mounts::empty_file_system()?;
    let mut lacking = None;
    for place in &mut profile.places {
        match own_mount(place) {
            Ok(tree) => place.file = tree,
            Err(error) => {
                lacking.get_or_insert_with(|| {
                    let name = place.path.as_deref().unwrap_or(Path::new("an opened directory"));
                    let name = name.display();
                    format!("`..` leads out of {name}, to names, sizes and times: {error}")
                });
            }
        }
    }
    // What is below is never seen again: this takes a third of the time that `pivot_root` and
    // taking the old root away take. To the kernel the process is not in a `chroot`, since this is
    // its namespace's root: children can have user namespaces of their own.
    mounts::cover_root(empty.as_fd())?;
    fchdir(&empty)?;
    chroot(".")?;
    Ok(lacking)
}

/// A mount of the same file or directory that has it as its root.
fn own_mount(place: &Place) -> io::Result<OwnedFd> {
    // In this namespace it has to be found anew: what is open belongs to the other one.
    let by_name = place.path.as_deref().map(|path| copy_of(place, path));
    let tree = match by_name {
        Some(Ok(tree)) => tree,
        _ => copy_of(place, &path_of(place.file.as_fd())?)?,
    };
    if place.purpose == Purpose::Read {
        mounts::make_read_only(tree.as_fd())?;
    }
    Ok(tree)
}

fn copy_of(place: &Place, path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    let tree = mounts::copy_of_tree(&path)?;
    let (meant, found) = (fstat(&place.file)?, fstat(&tree)?);
    if (meant.st_dev, meant.st_ino) != (found.st_dev, found.st_ino) {
        return Err(io::Error::other("its name means something else by now"));
    }
    Ok(tree)
}

/// The path of what is open, as it is now.
fn path_of(file: BorrowedFd<'_>) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Changes the root to a directory in which nothing is and nothing can be made: where a thread's
/// descriptors are listed, when the thread is no more.
fn chroot_to_nothing() -> io::Result<()> {
    // It can be entered as long as the thread is there. Threads share their root.
    let thread = std::thread::Builder::new().spawn(|| {
        chdir("/proc/thread-self/fdinfo")?;
        chroot(".")?;
        chdir("/")?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, "/", flags, Mode::empty())
    })?;
    let root = thread.join().map_err(|_| io::Error::other("a thread panicked"))??;
    let end = Instant::now() + FORGET;
    // The kernel takes a moment to forget the thread.
    while openat(&root, root.as_raw_fd().to_string(), OFlags::PATH, Mode::empty()).is_ok() {
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::yield_now();
    }
    Ok(())
}

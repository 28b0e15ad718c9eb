//! Files by their paths, below a directory that the program has.
//!
//! `cap-primitives` resolves the paths, as it does for `wasmtime-wasi`: by `openat2` with
//! `RESOLVE_BENEATH` where the system has it, step by step elsewhere. Whatever is opened is opened
//! with `O_NONBLOCK`: opening a pipe waits for its other end without it, on the thread that serves
//! the guest, where no deadline reaches it.

use super::attributes;
use super::descriptors::{Descriptor, Directory, File};
use super::errno::{OrErrno as _, Result};
use super::listing::Listing;
use cap_primitives::fs::{
    self, DirOptions, FileTypeExt as _, FollowSymlinks, Metadata, OpenOptions, OpenOptionsExt as _,
    SystemTimeSpec,
};
use cap_primitives::time::SystemTime;
use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, fcntl_getfl, fcntl_setfl};
use std::fs::File as HostFile;
use std::io;
use std::path::Path;
use std::time::Duration;
use wasmtime_wasi::p1::types::{Errno, Fdflags, Lookupflags, Oflags, Rights};
use wrt_platform::files::{RENAME_FOLLOWS_LINKS, set_times_of_named};

/// How a path is looked up.
pub(super) fn follow(flags: Lookupflags) -> FollowSymlinks {
    match flags.contains(Lookupflags::SYMLINK_FOLLOW) {
        true => FollowSymlinks::Yes,
        false => FollowSymlinks::No,
    }
}

/// What is to be opened, and what for.
pub(super) struct Opening<'a> {
    pub(super) path: &'a str,
    pub(super) lookup: Lookupflags,
    pub(super) open: Oflags,
    pub(super) rights: Rights,
    pub(super) flags: Fdflags,
}

/// Opens a file or a directory.
pub(super) fn open(directory: &Directory, opening: &Opening<'_>) -> Result<Descriptor> {
    let Opening { path, lookup, open, rights, flags } = opening;
    let creates = open.contains(Oflags::CREAT);
    let writes = rights.contains(Rights::FD_WRITE) || creates || open.contains(Oflags::TRUNC);
    // What is not opened for writing is opened for reading: the system wants one of the two.
    let reads = rights.contains(Rights::FD_READ) || !rights.contains(Rights::FD_WRITE);
    if flags.intersects(Fdflags::SYNC | Fdflags::DSYNC | Fdflags::RSYNC) {
        return Err(Errno::Notsup.into());
    }
    let excludes = Oflags::CREAT | Oflags::EXCL | Oflags::TRUNC;
    if open.contains(Oflags::DIRECTORY) && open.intersects(excludes) {
        return Err(Errno::Inval.into());
    }
    if writes {
        directory.may_change()?;
    }
    let (start, path, follow) = (&directory.directory, Path::new(path), follow(*lookup));
    // A pipe is refused before its other end can notice; one that takes a file's place in between
    // is refused below.
    if fs::stat(start, path, follow).is_ok_and(|found| connects(&found)) {
        return Err(Errno::Nxio.into());
    }
    let mut options = options(reads, writes, follow);
    options.truncate(open.contains(Oflags::TRUNC));
    match open.contains(Oflags::EXCL) {
        true => options.create_new(creates),
        false => options.create(creates),
    };
    let file = fs::open(start, path, &options).or_errno()?;
    let metadata = Metadata::from_file(&file).or_errno()?;
    if metadata.is_dir() {
        let (writable, listing) = (directory.writable, Listing::default());
        let opened = Directory { directory: file, writable, reads, preopen: None, listing };
        return Ok(Descriptor::Directory(opened));
    }
    if open.contains(Oflags::DIRECTORY) {
        return Err(Errno::Notdir.into());
    }
    if connects(&metadata) {
        return Err(Errno::Nxio.into());
    }
    let flags = *flags & (Fdflags::APPEND | Fdflags::NONBLOCK);
    if flags.contains(Fdflags::APPEND) {
        set_append(&file, true)?;
    }
    let kind = attributes::filetype(metadata.file_type());
    let below_writable = directory.writable;
    Ok(Descriptor::File(File { file, kind, reads, writes, below_writable, position: 0, flags }))
}

/// Whether a file connects to another process: a pipe or a socket.
fn connects(metadata: &Metadata) -> bool {
    metadata.file_type().is_fifo() || metadata.file_type().is_socket()
}

fn options(reads: bool, writes: bool, follow: FollowSymlinks) -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.read(reads).write(writes)._cap_fs_ext_follow(follow);
    options.custom_flags(flags.bits().cast_signed());
    options
}

/// Whether writes go to the end of a file, wherever that is.
pub(super) fn set_append(file: &HostFile, append: bool) -> Result<()> {
    let mut flags = fcntl_getfl(file).or_errno()?;
    flags.set(OFlags::APPEND, append);
    fcntl_setfl(file, flags).or_errno()
}

/// Attributes of what has a path.
pub(super) fn stat(directory: &Directory, path: &str, lookup: Lookupflags) -> Result<Metadata> {
    fs::stat(&directory.directory, Path::new(path), follow(lookup)).or_errno()
}

/// Changes the times of what has a path.
pub(super) fn set_times(
    directory: &Directory,
    path: &str,
    lookup: Lookupflags,
    times: &Timestamps,
) -> Result<()> {
    directory.may_change()?;
    let (start, path, follow) = (&directory.directory, Path::new(path), follow(lookup));
    let found = fs::stat(start, path, follow).or_errno()?;
    if !found.is_file() && !found.is_dir() {
        return set_times_of_other(start, path, follow, times);
    }
    let file = match open_for_times(start, path, follow, &found) {
        Ok(file) => file,
        // The owner may change the times of a file that nobody may read or write.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return set_times_of_other(start, path, follow, times);
        }
        Err(error) => return Err(error).or_errno(),
    };
    let opened = Metadata::from_file(&file).or_errno()?;
    // Another file has taken the place of the one that was found.
    if !opened.is_file() && !opened.is_dir() {
        return Err(Errno::Again.into());
    }
    attributes::set_times(&file, times)
}

/// Opens a file or a directory whose times shall change.
fn open_for_times(
    start: &HostFile,
    path: &Path,
    follow: FollowSymlinks,
    found: &Metadata,
) -> io::Result<HostFile> {
    let open = |reads, writes| fs::open(start, path, &options(reads, writes, follow));
    match open(true, false) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && found.is_file() => {
            open(false, true)
        }
        opened => opened,
    }
}

/// Changes the times of what is not to be opened for it, or may not: a symbolic link, a pipe, a
/// device, a file without permissions.
fn set_times_of_other(
    start: &HostFile,
    path: &Path,
    follow: FollowSymlinks,
    times: &Timestamps,
) -> Result<()> {
    if follow == FollowSymlinks::No {
        let [access, modification] = [times.last_access, times.last_modification].map(spec);
        return fs::set_times_nofollow(start, path, access, modification).or_errno();
    }
    let named = |flags: OFlags| {
        let mut options = options(true, false, follow);
        fs::open(start, path, options.custom_flags(flags.bits().cast_signed()))
    };
    set_times_of_named(named, times).or_errno()
}

/// A time as `cap-primitives` takes it; `None` leaves the time as it is.
fn spec(time: Timespec) -> Option<SystemTimeSpec> {
    match time.tv_nsec {
        UTIME_OMIT => None,
        UTIME_NOW => Some(SystemTimeSpec::SymbolicNow),
        nanoseconds => {
            let seconds = u64::try_from(time.tv_sec).ok()?;
            let time = Duration::new(seconds, u32::try_from(nanoseconds).ok()?);
            let time = std::time::UNIX_EPOCH.checked_add(time)?;
            Some(SystemTimeSpec::Absolute(SystemTime::from_std(time)))
        }
    }
}

/// Makes a directory.
pub(super) fn create_directory(directory: &Directory, path: &str) -> Result<()> {
    directory.may_change()?;
    fs::create_dir(&directory.directory, Path::new(path), &DirOptions::new()).or_errno()
}

/// Removes a directory.
pub(super) fn remove_directory(directory: &Directory, path: &str) -> Result<()> {
    directory.may_change()?;
    fs::remove_dir(&directory.directory, Path::new(path)).or_errno()
}

/// Removes what is no directory.
pub(super) fn unlink(directory: &Directory, path: &str) -> Result<()> {
    directory.may_change()?;
    fs::remove_file(&directory.directory, Path::new(path)).or_errno()
}

/// Makes a symbolic link to `target`.
pub(super) fn symlink(directory: &Directory, target: &str, path: &str) -> Result<()> {
    directory.may_change()?;
    fs::symlink(Path::new(target), &directory.directory, Path::new(path)).or_errno()
}

/// Where a symbolic link leads to.
pub(super) fn read_link(directory: &Directory, path: &str) -> Result<String> {
    let target = fs::read_link(&directory.directory, Path::new(path)).or_errno()?;
    target.into_os_string().into_string().map_err(|_| Errno::Ilseq.into())
}

/// Gives a file another name.
pub(super) fn link(
    [old, new]: [&Directory; 2],
    [old_path, new_path]: [&str; 2],
    lookup: Lookupflags,
) -> Result<()> {
    old.may_change()?;
    new.may_change()?;
    if lookup.contains(Lookupflags::SYMLINK_FOLLOW) {
        return Err(Errno::Inval.into());
    }
    let (old_path, new_path) = (Path::new(old_path), Path::new(new_path));
    fs::hard_link(&old.directory, old_path, &new.directory, new_path).or_errno()
}

/// Renames.
pub(super) fn rename([old, new]: [&Directory; 2], [old_path, new_path]: [&str; 2]) -> Result<()> {
    old.may_change()?;
    new.may_change()?;
    // A slash behind either name wants a directory. `cap-primitives` heeds it behind the old name
    // alone.
    if old_path.is_empty() || !(old_path.ends_with('/') || new_path.ends_with('/')) {
        return rename_to(old, old_path, new, new_path);
    }
    if !RENAME_FOLLOWS_LINKS {
        return rename_to(old, &format!("{old_path}/"), new, new_path);
    }
    let [from, to] = [old_path, new_path].map(|path| match path.trim_end_matches('/') {
        "" => path,
        trimmed => trimmed,
    });
    let found = fs::stat(&old.directory, Path::new(from), FollowSymlinks::No).or_errno()?;
    if !found.is_dir() {
        return Err(Errno::Notdir.into());
    }
    rename_to(old, from, new, to)
}

fn rename_to(old: &Directory, from: &str, new: &Directory, to: &str) -> Result<()> {
    fs::rename(&old.directory, Path::new(from), &new.directory, Path::new(to)).or_errno()
}

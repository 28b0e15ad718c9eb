//! The times of files: `fd_filestat_set_times`, and what `path_filestat_set_times` does.

use super::attributes::SECOND;
use super::call::{Call, Fd};
use super::errno::{OrErrno as _, Result};
use super::opening::options;
use cap_primitives::fs::{self, FollowSymlinks, Metadata, OpenOptionsExt as _, SystemTimeSpec};
use cap_primitives::time::SystemTime;
use rustix::fs::{OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;
use wrt_abi::services::wasi::{Errno, Fstflags};
use wrt_platform::files::set_times_of_named;

impl Call<'_> {
    pub(super) fn fd_filestat_set_times(
        &mut self,
        fd: Fd,
        access: u64,
        modification: u64,
        which: Fstflags,
    ) -> Result<()> {
        let times = timestamps(access, modification, which)?;
        let descriptor = self.wasi.descriptors.get(fd)?;
        let file = descriptor.opened()?;
        descriptor.may_change()?;
        futimens(file, &times).or_errno()
    }
}

/// The times that `fstflags` and two timestamps ask for.
pub(super) fn timestamps(access: u64, modification: u64, flags: Fstflags) -> Result<Timestamps> {
    let one = |time: u64, set: Fstflags, now: Fstflags| {
        let (tv_sec, tv_nsec) = match (flags.contains(set), flags.contains(now)) {
            (true, true) => return Err(Errno::Inval),
            (true, false) => (time / SECOND, time % SECOND),
            (false, true) => return Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }),
            (false, false) => return Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }),
        };
        let overflow = |_| Errno::Overflow;
        Ok(Timespec {
            tv_sec: tv_sec.try_into().map_err(overflow)?,
            tv_nsec: tv_nsec.try_into().map_err(|_| Errno::Overflow)?,
        })
    };
    Ok(Timestamps {
        last_access: one(access, Fstflags::ATIM, Fstflags::ATIM_NOW)?,
        last_modification: one(modification, Fstflags::MTIM, Fstflags::MTIM_NOW)?,
    })
}

/// Changes the times of what has a path below `start`.
pub(super) fn set_times_at(
    start: &File,
    path: &Path,
    follow: FollowSymlinks,
    times: &Timestamps,
) -> Result<()> {
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
    futimens(&file, times).or_errno()
}

/// Opens a file or a directory whose times shall change.
fn open_for_times(
    start: &File,
    path: &Path,
    follow: FollowSymlinks,
    found: &Metadata,
) -> io::Result<File> {
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
    start: &File,
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

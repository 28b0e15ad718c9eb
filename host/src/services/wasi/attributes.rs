//! Attributes of files: `filestat`, `fdstat`, times.

use super::descriptors::{Directory, File};
use super::errno::{OrErrno as _, Result};
use cap_primitives::fs::{FileType, FileTypeExt as _, Metadata, MetadataExt as _};
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use wasmtime_wasi::p1::types::{
    Errno, Fdflags, Fdstat, Filestat, Filetype, Fstflags, Rights, Timestamp,
};

const NANOSECONDS: u64 = 1_000_000_000;

/// The attributes as preview 1 writes them.
pub(super) fn filestat(metadata: &Metadata) -> Result<Filestat> {
    Ok(Filestat {
        dev: 1,
        ino: inode(metadata.dev(), metadata.ino()),
        filetype: filetype(metadata.file_type()),
        nlink: metadata.nlink(),
        size: metadata.len(),
        atim: timestamp(metadata.atime(), metadata.atime_nsec())?,
        mtim: timestamp(metadata.mtime(), metadata.mtime_nsec())?,
        ctim: timestamp(metadata.ctime(), metadata.ctime_nsec())?,
    })
}

/// The inode that the program sees: as unique as the host's, of which it tells nothing.
pub(super) fn inode(device: u64, inode: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (device, inode).hash(&mut hasher);
    hasher.finish()
}

/// The kind of a file. Preview 1 has no name for pipes.
pub(super) fn filetype(kind: FileType) -> Filetype {
    if kind.is_dir() {
        Filetype::Directory
    } else if kind.is_symlink() {
        Filetype::SymbolicLink
    } else if kind.is_file() {
        Filetype::RegularFile
    } else if kind.is_block_device() {
        Filetype::BlockDevice
    } else if kind.is_char_device() {
        Filetype::CharacterDevice
    } else {
        Filetype::Unknown
    }
}

/// Nanoseconds since 1970; times before that are 0.
fn timestamp(seconds: i64, nanoseconds: i64) -> Result<Timestamp> {
    let Ok(seconds) = u64::try_from(seconds) else { return Ok(0) };
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    let sum = seconds.checked_mul(NANOSECONDS).and_then(|sum| sum.checked_add(nanoseconds));
    Ok(sum.ok_or(Errno::Overflow)?)
}

/// The times that `fstflags` and two timestamps ask for.
pub(super) fn timestamps(
    access: Timestamp,
    modification: Timestamp,
    flags: Fstflags,
) -> Result<Timestamps> {
    let one = |time: Timestamp, set: Fstflags, now: Fstflags| {
        let (tv_sec, tv_nsec) = match (flags.contains(set), flags.contains(now)) {
            (true, true) => return Err(Errno::Inval),
            (true, false) => (time / NANOSECONDS, time % NANOSECONDS),
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

/// What `fd_fdstat_get` says of a file.
pub(super) fn of_file(file: &File) -> Fdstat {
    fdstat(file.kind, file.flags, file.reads, file.writes)
}

/// What `fd_fdstat_get` says of a directory.
pub(super) fn of_directory(directory: &Directory) -> Fdstat {
    match directory.preopen {
        Some(_) => preopened(),
        None => fdstat(Filetype::Directory, Fdflags::empty(), directory.reads, false),
    }
}

fn fdstat(fs_filetype: Filetype, fs_flags: Fdflags, reads: bool, writes: bool) -> Fdstat {
    let mut rights = Rights::all();
    if fs_filetype == Filetype::Directory {
        rights &= !(Rights::FD_SEEK | Rights::FD_FILESTAT_SET_SIZE);
        rights &= !Rights::PATH_FILESTAT_SET_SIZE;
    }
    if !reads {
        rights &= !(Rights::FD_READ | Rights::FD_READDIR);
    }
    if !writes {
        rights &= !Rights::FD_WRITE;
    }
    Fdstat { fs_filetype, fs_flags, fs_rights_base: rights, fs_rights_inheriting: rights }
}

/// What C libraries expect of the directories that a program is given.
fn preopened() -> Fdstat {
    let base = Rights::PATH_CREATE_DIRECTORY
        | Rights::PATH_CREATE_FILE
        | Rights::PATH_LINK_SOURCE
        | Rights::PATH_LINK_TARGET
        | Rights::PATH_OPEN
        | Rights::FD_READDIR
        | Rights::PATH_READLINK
        | Rights::PATH_RENAME_SOURCE
        | Rights::PATH_RENAME_TARGET
        | Rights::PATH_SYMLINK
        | Rights::PATH_REMOVE_DIRECTORY
        | Rights::PATH_UNLINK_FILE
        | Rights::PATH_FILESTAT_GET
        | Rights::PATH_FILESTAT_SET_TIMES
        | Rights::FD_FILESTAT_GET
        | Rights::FD_FILESTAT_SET_TIMES;
    let inheriting = base
        | Rights::FD_DATASYNC
        | Rights::FD_READ
        | Rights::FD_SEEK
        | Rights::FD_FDSTAT_SET_FLAGS
        | Rights::FD_SYNC
        | Rights::FD_TELL
        | Rights::FD_WRITE
        | Rights::FD_ADVISE
        | Rights::FD_ALLOCATE
        | Rights::FD_FILESTAT_SET_SIZE
        | Rights::POLL_FD_READWRITE;
    Fdstat {
        fs_filetype: Filetype::Directory,
        fs_flags: Fdflags::empty(),
        fs_rights_base: base,
        fs_rights_inheriting: inheriting,
    }
}

/// The kind and inode of an entry of a directory, asked of the file itself: a directory does not
/// know them all. `None` when the file has gone meanwhile.
pub(super) fn of_entry(
    directory: &std::fs::File,
    name: &std::ffi::CStr,
) -> Option<(Filetype, u64)> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "other types elsewhere")]
    let inode = inode(stat.st_dev as u64, stat.st_ino as u64);
    Some((entry_type(kind), inode))
}

/// The kind of an entry by its directory's word.
pub(super) fn entry_type(kind: rustix::fs::FileType) -> Filetype {
    use rustix::fs::FileType as Kind;
    match kind {
        Kind::Directory => Filetype::Directory,
        Kind::Symlink => Filetype::SymbolicLink,
        Kind::RegularFile => Filetype::RegularFile,
        Kind::BlockDevice => Filetype::BlockDevice,
        Kind::CharacterDevice => Filetype::CharacterDevice,
        Kind::Fifo | Kind::Socket | Kind::Unknown => Filetype::Unknown,
    }
}

/// Sets the times of what is open.
pub(super) fn set_times(file: &std::fs::File, times: &Timestamps) -> Result<()> {
    rustix::fs::futimens(file, times).or_errno()
}

//! Attributes of what a descriptor stands for: `filestat` and `fdstat`.

use super::call::{Call, Fd};
use super::descriptors::{Descriptor, Directory, File};
use super::errno::Result;
use super::memory::Place;
use super::stdio::Stream;
use cap_primitives::fs::{FileType, FileTypeExt as _, Metadata, MetadataExt as _};
use rustix::fs::AtFlags;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use wrt_abi::services::wasi::{Errno, Fdflags, Fdstat, Filestat, Filetype, Rights};
use zerocopy::{Immutable, IntoBytes, KnownLayout};

/// Nanoseconds of a second.
pub(super) const SECOND: u64 = 1_000_000_000;

impl Call<'_> {
    /// `S` is the structure of a version of the interface.
    pub(super) fn fd_filestat_get<S>(&mut self, fd: Fd, result: Place<S>) -> Result<()>
    where
        S: From<Filestat> + IntoBytes + Immutable + KnownLayout,
    {
        let stat = match self.wasi.descriptors.get(fd)? {
            Descriptor::Stream(stream) => {
                let filetype = self.wasi.streams.filetype(*stream);
                Filestat { filetype, ..Filestat::default() }
            }
            descriptor => filestat(&descriptor.metadata()?)?,
        };
        self.memory.write(result, &S::from(stat))
    }
}

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
        ..Filestat::default()
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
fn timestamp(seconds: i64, nanoseconds: i64) -> Result<u64> {
    let Ok(seconds) = u64::try_from(seconds) else { return Ok(0) };
    let nanoseconds = u64::try_from(nanoseconds).unwrap_or(0);
    let sum = seconds.checked_mul(SECOND).and_then(|sum| sum.checked_add(nanoseconds));
    Ok(sum.ok_or(Errno::Overflow)?)
}

/// What `fd_fdstat_get` says of a standard stream.
pub(super) fn of_stream(stream: Stream, filetype: Filetype) -> Fdstat {
    let rights = match stream {
        Stream::Input => Rights::FD_READ,
        Stream::Output | Stream::Error => Rights::FD_WRITE,
    };
    with_rights(filetype, Fdflags::empty(), rights, rights)
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

fn fdstat(filetype: Filetype, flags: Fdflags, reads: bool, writes: bool) -> Fdstat {
    let mut rights = Rights::all();
    if filetype == Filetype::Directory {
        rights &= !(Rights::FD_SEEK | Rights::FD_FILESTAT_SET_SIZE);
        rights &= !Rights::PATH_FILESTAT_SET_SIZE;
    }
    if !reads {
        rights &= !(Rights::FD_READ | Rights::FD_READDIR);
    }
    if !writes {
        rights &= !Rights::FD_WRITE;
    }
    with_rights(filetype, flags, rights, rights)
}

fn with_rights(filetype: Filetype, flags: Fdflags, base: Rights, inheriting: Rights) -> Fdstat {
    Fdstat {
        filetype,
        flags,
        rights_base: base,
        rights_inheriting: inheriting,
        ..Fdstat::default()
    }
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
    with_rights(Filetype::Directory, Fdflags::empty(), base, inheriting)
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

//! Opening a file or a directory.
//!
//! Whatever is opened is opened with `O_NONBLOCK`: opening a pipe waits for its other end without
//! it, on the thread that serves the guest, where no deadline reaches it.

use super::attributes;
use super::descriptors::{Descriptor, Directory, File};
use super::errno::{Checked, OrErrno as _, Result};
use super::listing::Listing;
use super::memory::Text;
use super::paths::follow;
use super::words::{Argument, Words};
use cap_primitives::fs::{
    self, FileTypeExt as _, FollowSymlinks, Metadata, OpenOptions, OpenOptionsExt as _,
};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use std::fs::File as HostFile;
use std::path::Path;
use wrt_abi::services::wasi::{Errno, Fdflags, Lookupflags, Oflags, Rights};

/// What `path_open` opens, and what for.
pub(super) struct Opening {
    pub(super) path: Text,
    lookup: Lookupflags,
    open: Oflags,
    rights: Rights,
    flags: Fdflags,
}

impl Argument for Opening {
    fn take(words: &mut Words<'_>) -> Checked<Self> {
        let (lookup, path, open, rights) =
            (words.next()?, words.next()?, words.next()?, words.next()?);
        let _inheriting: Rights = words.next()?;
        Ok(Self { path, lookup, open, rights, flags: words.next()? })
    }
}

/// Opens a file or a directory.
pub(super) fn open(directory: &Directory, path: &Path, opening: &Opening) -> Result<Descriptor> {
    let Opening { lookup, open, rights, flags, .. } = opening;
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
    let (start, follow) = (&directory.directory, follow(*lookup));
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

pub(super) fn options(reads: bool, writes: bool, follow: FollowSymlinks) -> OpenOptions {
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

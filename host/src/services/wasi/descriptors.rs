//! The program's descriptors: standard streams, files and directories.

use super::attributes;
use super::call::{Call, Fd};
use super::errno::{OrErrno as _, Result};
use super::listing::Listing;
use super::memory::{Bytes, Place};
use super::stdio::Stream;
use cap_primitives::fs::Metadata;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use wrt_abi::services::wasi::{Errno, Fdflags, Fdstat, Filetype, Prestat, Rights};

/// Files and directories that a program may have open at a time, apart from those that it was
/// given. More would leave the host, and with it the other VMs of the process, without any.
const OPEN_MAX: usize = 1000;

/// What a number stands for.
pub(super) enum Descriptor {
    /// A standard stream.
    Stream(Stream),
    /// A file that was opened.
    File(File),
    /// A directory.
    Directory(Directory),
}

/// A file that is open. No read or write of it blocks: it was opened with `O_NONBLOCK`.
pub(super) struct File {
    /// The host's.
    pub(super) file: fs::File,
    /// What kind of file it is.
    pub(super) kind: Filetype,
    /// Whether it was opened for reading.
    pub(super) reads: bool,
    /// Whether it was opened for writing.
    pub(super) writes: bool,
    /// Whether the directory that it was found below may be changed.
    pub(super) below_writable: bool,
    /// Where the next read or write begins.
    pub(super) position: u64,
    /// `APPEND` and `NONBLOCK`.
    pub(super) flags: Fdflags,
}

impl File {
    /// Refuses to change a file below a read-only directory.
    pub(super) fn may_change(&self) -> Result<()> {
        if self.below_writable { Ok(()) } else { Err(Errno::Perm.into()) }
    }
}

/// A directory that is open.
pub(super) struct Directory {
    /// The host's.
    pub(super) directory: fs::File,
    /// Whether it, and what is below it, may be changed.
    pub(super) writable: bool,
    /// Whether it was opened for reading.
    pub(super) reads: bool,
    /// The name it was given to the program by.
    pub(super) preopen: Option<String>,
    /// How far its entries were read.
    pub(super) listing: Listing,
}

impl Directory {
    /// A directory that the program is given.
    pub(super) fn preopened(directory: fs::File, name: String, writable: bool) -> Self {
        let (preopen, listing) = (Some(name), Listing::default());
        Self { directory, writable, reads: true, preopen, listing }
    }

    /// Refuses to change a read-only directory.
    pub(super) fn may_change(&self) -> Result<()> {
        if self.writable { Ok(()) } else { Err(Errno::Perm.into()) }
    }
}

/// All of them.
pub(super) struct Descriptors {
    used: BTreeMap<u32, Descriptor>,
    /// Numbers that were given back.
    free: BTreeSet<u32>,
    /// How many there may be.
    limit: usize,
}

impl Descriptors {
    /// The standard streams and these directories.
    pub(super) fn new(directories: impl IntoIterator<Item = Directory>) -> Self {
        let streams = [Stream::Input, Stream::Output, Stream::Error].map(Descriptor::Stream);
        let directories = directories.into_iter().map(Descriptor::Directory);
        let used: BTreeMap<_, _> = (0..).zip(streams.into_iter().chain(directories)).collect();
        let limit = used.len() + OPEN_MAX;
        Self { used, free: BTreeSet::new(), limit }
    }

    /// Refuses one more than there may be.
    pub(super) fn has_room(&self) -> Result<()> {
        if self.used.len() < self.limit { Ok(()) } else { Err(Errno::Mfile.into()) }
    }

    /// Gives a descriptor a number.
    pub(super) fn push(&mut self, descriptor: Descriptor) -> Result<Fd> {
        self.has_room()?;
        let next = || self.used.last_key_value().map_or(Some(0), |(last, _)| last.checked_add(1));
        let number = self.free.pop_last().or_else(next).ok_or(Errno::Mfile)?;
        self.used.insert(number, descriptor);
        Ok(number)
    }

    /// Takes a descriptor away.
    pub(super) fn remove(&mut self, fd: Fd) -> Result<Descriptor> {
        let removed = self.used.remove(&fd).ok_or(Errno::Badf)?;
        self.free.insert(fd);
        Ok(removed)
    }

    /// Gives what is at `from` the number `to`, and closes what had that before.
    pub(super) fn renumber(&mut self, from: Fd, to: Fd) -> Result<()> {
        if !self.used.contains_key(&to) {
            return Err(Errno::Badf.into());
        }
        let moved = self.used.remove(&from).ok_or(Errno::Badf)?;
        self.used.insert(to, moved);
        if from != to {
            self.free.insert(from);
        }
        Ok(())
    }

    /// Any descriptor.
    pub(super) fn get(&self, fd: Fd) -> Result<&Descriptor> {
        Ok(self.used.get(&fd).ok_or(Errno::Badf)?)
    }

    /// A file.
    pub(super) fn file(&self, fd: Fd) -> Result<&File> {
        match self.get(fd)? {
            Descriptor::File(file) => Ok(file),
            Descriptor::Stream(_) | Descriptor::Directory(_) => Err(Errno::Badf.into()),
        }
    }

    /// A file, to be changed.
    pub(super) fn file_mut(&mut self, fd: Fd) -> Result<&mut File> {
        match self.used.get_mut(&fd) {
            Some(Descriptor::File(file)) => Ok(file),
            _ => Err(Errno::Badf.into()),
        }
    }

    /// A file that has a position: streams have none, and say so.
    pub(super) fn seekable(&mut self, fd: Fd) -> Result<&mut File> {
        match self.get(fd)? {
            Descriptor::Stream(_) => Err(Errno::Spipe.into()),
            Descriptor::File(_) | Descriptor::Directory(_) => self.file_mut(fd),
        }
    }

    /// A directory.
    pub(super) fn directory(&self, fd: Fd) -> Result<&Directory> {
        match self.get(fd)? {
            Descriptor::Directory(directory) => Ok(directory),
            Descriptor::Stream(_) | Descriptor::File(_) => Err(Errno::Badf.into()),
        }
    }

    /// A directory, to read on in it.
    pub(super) fn directory_mut(&mut self, fd: Fd) -> Result<&mut Directory> {
        match self.used.get_mut(&fd) {
            Some(Descriptor::Directory(directory)) => Ok(directory),
            _ => Err(Errno::Badf.into()),
        }
    }
}

/// What can be asked of a file and a directory alike.
impl Descriptor {
    /// The host's file or directory.
    pub(super) fn opened(&self) -> Result<&fs::File> {
        match self {
            Self::Stream(_) => Err(Errno::Badf.into()),
            Self::File(file) => Ok(&file.file),
            Self::Directory(directory) => Ok(&directory.directory),
        }
    }

    /// Refuses to change what is below a read-only directory.
    pub(super) fn may_change(&self) -> Result<()> {
        match self {
            Self::Stream(_) => Err(Errno::Badf.into()),
            Self::File(file) => file.may_change(),
            Self::Directory(directory) => directory.may_change(),
        }
    }

    /// Its attributes.
    pub(super) fn metadata(&self) -> Result<Metadata> {
        Metadata::from_file(self.opened()?).or_errno()
    }
}

/// What can be done to a descriptor whatever it is.
impl Call<'_> {
    pub(super) fn fd_close(&mut self, fd: Fd) -> Result<()> {
        self.wasi.descriptors.remove(fd).map(drop)
    }

    pub(super) fn fd_renumber(&mut self, from: Fd, to: Fd) -> Result<()> {
        self.wasi.descriptors.renumber(from, to)
    }

    pub(super) fn fd_fdstat_get(&mut self, fd: Fd, result: Place<Fdstat>) -> Result<()> {
        let stat = match self.wasi.descriptors.get(fd)? {
            Descriptor::Stream(stream) => {
                attributes::of_stream(*stream, self.wasi.streams.filetype(*stream))
            }
            Descriptor::File(file) => attributes::of_file(file),
            Descriptor::Directory(directory) => attributes::of_directory(directory),
        };
        self.memory.write(result, &stat)
    }

    pub(super) fn fd_fdstat_set_flags(&mut self, fd: Fd, flags: Fdflags) -> Result<()> {
        self.wasi.descriptors.file_mut(fd)?.set_flags(flags)
    }

    /// Rights are what a descriptor was opened with.
    pub(super) fn fd_fdstat_set_rights(
        &mut self,
        fd: Fd,
        _base: Rights,
        _inheriting: Rights,
    ) -> Result<()> {
        self.wasi.descriptors.get(fd)?.opened()?;
        Err(Errno::Notsup.into())
    }

    pub(super) fn fd_prestat_get(&mut self, fd: Fd, result: Place<Prestat>) -> Result<()> {
        let Descriptor::Directory(Directory { preopen: Some(name), .. }) =
            self.wasi.descriptors.get(fd)?
        else {
            return Err(Errno::Badf.into());
        };
        let name_len = name.len().try_into()?;
        self.memory.write(result, &Prestat { name_len, ..Prestat::default() })
    }

    pub(super) fn fd_prestat_dir_name(&mut self, fd: Fd, room: Bytes) -> Result<()> {
        match self.wasi.descriptors.get(fd)? {
            Descriptor::Directory(Directory { preopen: Some(name), .. }) => {
                if name.len() > room.len as usize {
                    return Err(Errno::Nametoolong.into());
                }
                self.memory.copy(room.at.into(), name.as_bytes())
            }
            _ => Err(Errno::Notdir.into()),
        }
    }
}

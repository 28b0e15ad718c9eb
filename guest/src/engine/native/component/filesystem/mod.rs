//! `wasi:filesystem`: each operation is the preview 1 call of the same kind.
//!
//! The sandbox is the host's: a path goes there as the program gave it, with a descriptor that
//! the host gave out.

mod descriptor;
mod directory;

pub use directory::Directory;

use super::Wasi;
use super::bindings::wasi::filesystem::preopens;
use super::bindings::wasi::filesystem::types::{
    self, DescriptorFlags, DescriptorStat, DescriptorType, ErrorCode, MetadataHashValue,
    NewTimestamp,
};
use super::clocks::{datetime, nanoseconds};
use super::failure::{Failure, code};
use super::preview1::{self, Preview1};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use wasmtime::component::Resource;
use wasmtime::{Error, Result};
use wrt_abi::services::wasi::{Errno, Fdflags, Filestat, Filetype, Fstflags, FunctionId, Rights};

/// The first descriptor that can be a preopened directory's.
const FIRST_PREOPEN: u32 = 3;

/// A file or directory that the host has opened; streams share it with their descriptor.
#[derive(Debug)]
pub struct OpenFile {
    /// Preview 1's descriptor.
    pub fd: u32,
    /// That of the preopened directory that it was found below.
    preopen: u32,
    kind: DescriptorType,
    flags: DescriptorFlags,
    /// Whether the host appends what is written.
    append: AtomicBool,
}

/// What the program knows as a descriptor.
#[derive(Clone, Debug)]
pub struct Descriptor(Arc<OpenFile>);

impl Drop for OpenFile {
    fn drop(&mut self) {
        preview1::close(self.fd);
    }
}

impl OpenFile {
    fn new(fd: u32, preopen: u32, kind: DescriptorType, flags: DescriptorFlags) -> Self {
        Self { fd, preopen, kind, flags, append: AtomicBool::new(false) }
    }

    /// What the host says of a descriptor that it has just opened. It belongs to the result.
    fn opened(
        host: &mut Preview1,
        fd: u32,
        preopen: u32,
        asked: DescriptorFlags,
    ) -> Result<Self, Failure> {
        let mut file = Self::new(fd, preopen, DescriptorType::Unknown, DescriptorFlags::empty());
        let stat = host.fdstat(fd)?;
        file.kind = kind(stat.filetype);
        for (flag, is_set) in [
            (DescriptorFlags::READ, stat.rights_base.contains(Rights::FD_READ)),
            (DescriptorFlags::WRITE, stat.rights_base.contains(Rights::FD_WRITE)),
            (DescriptorFlags::DATA_INTEGRITY_SYNC, stat.flags.contains(Fdflags::DSYNC)),
            (DescriptorFlags::REQUESTED_WRITE_SYNC, stat.flags.contains(Fdflags::RSYNC)),
            (DescriptorFlags::FILE_INTEGRITY_SYNC, stat.flags.contains(Fdflags::SYNC)),
        ] {
            if is_set {
                file.flags |= flag;
            }
        }
        if stat.filetype == Filetype::Directory {
            // Preview 1 has no such flag. The host refuses changes to a read-only directory.
            file.flags |= asked & DescriptorFlags::MUTATE_DIRECTORY;
        }
        Ok(file)
    }

    /// Has the host append what is written from now on, or no longer: for preview 1 that is a
    /// property of the descriptor, here it is one of a stream.
    pub fn set_append(&self, host: &mut Preview1, append: bool) -> Result<(), Failure> {
        if self.append.load(Ordering::Relaxed) != append {
            let flags = if append { Fdflags::APPEND } else { Fdflags::empty() };
            host.plain(FunctionId::FdFdstatSetFlags, [self.fd.into(), flags.bits().into()])?;
            self.append.store(append, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// A directory that the program was given, which it may change unless the host says otherwise.
fn preopened(fd: u32) -> Arc<OpenFile> {
    let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
    Arc::new(OpenFile::new(fd, fd, DescriptorType::Directory, flags))
}

impl preopens::Host for Wasi {
    fn get_directories(&mut self) -> Result<Vec<(Resource<Descriptor>, String)>> {
        if self.preopens.is_none() {
            let mut found = Vec::new();
            for fd in FIRST_PREOPEN.. {
                let Some(name) = self.host.preopen(fd)? else { break };
                let name = String::from_utf8(name)
                    .map_err(|_| Error::msg("a directory's name is not UTF-8"))?;
                found.push((preopened(fd), name));
            }
            self.preopens = Some(found);
        }
        let known = self.preopens.iter().flatten();
        known
            .map(|(file, name)| Ok((self.table.push(Descriptor(Arc::clone(file)))?, name.clone())))
            .collect()
    }
}

impl types::Host for Wasi {
    fn convert_error_code(&mut self, failure: Failure) -> Result<ErrorCode> {
        match failure {
            Failure::Errno(errno) => Ok(code(errno)),
            Failure::Trap(error) => Err(error),
        }
    }

    fn filesystem_error_code(&mut self, error: Resource<Errno>) -> Result<Option<ErrorCode>> {
        Ok(Some(code(*self.table.get(&error)?)))
    }
}

/// Preview 1's `filetype` in preview 2.
fn kind(filetype: Filetype) -> DescriptorType {
    match filetype {
        Filetype::BlockDevice => DescriptorType::BlockDevice,
        Filetype::CharacterDevice => DescriptorType::CharacterDevice,
        Filetype::Directory => DescriptorType::Directory,
        Filetype::RegularFile => DescriptorType::RegularFile,
        Filetype::SocketDgram | Filetype::SocketStream => DescriptorType::Socket,
        Filetype::SymbolicLink => DescriptorType::SymbolicLink,
        Filetype::Unknown => DescriptorType::Unknown,
    }
}

fn stat(stat: Filestat) -> DescriptorStat {
    DescriptorStat {
        type_: kind(stat.filetype),
        link_count: stat.nlink,
        size: stat.size,
        data_access_timestamp: Some(datetime(stat.atim)),
        data_modification_timestamp: Some(datetime(stat.mtim)),
        // Unlike the others it cannot be set: 0 is a system that does not say.
        status_change_timestamp: (stat.ctim != 0).then(|| datetime(stat.ctim)),
    }
}

/// The host's number of a file is a hash already.
fn hash(stat: Filestat) -> MetadataHashValue {
    MetadataHashValue { lower: stat.ino, upper: stat.dev }
}

/// Two new times as preview 1 takes them.
fn times(access: NewTimestamp, modification: NewTimestamp) -> Result<preview1::Times, Errno> {
    let one = |time, set, now| {
        Ok(match time {
            NewTimestamp::NoChange => (0, Fstflags::empty()),
            NewTimestamp::Timestamp(time) => (nanoseconds(time)?, set),
            NewTimestamp::Now => (0, now),
        })
    };
    let (access, first) = one(access, Fstflags::ATIM, Fstflags::ATIM_NOW)?;
    let (modification, second) = one(modification, Fstflags::MTIM, Fstflags::MTIM_NOW)?;
    Ok(preview1::Times { access, modification, flags: first | second })
}

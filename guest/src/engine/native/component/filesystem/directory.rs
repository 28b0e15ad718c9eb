//! Reading a directory.

use super::{OpenFile, kind};
use crate::engine::native::component::Wasi;
use crate::engine::native::component::bindings::wasi::filesystem::types::{
    DirectoryEntry, HostDirectoryEntryStream,
};
use crate::engine::native::component::failure::Failure;
use crate::engine::native::component::preview1::{At, CHUNK, Preview1};
use alloc::collections::VecDeque;
use alloc::string::String;
use wasmtime::component::Resource;
use wrt_abi::services::wasi::{Dirent, Errno, Fdflags, Lookupflags, Oflags, Rights};
use zerocopy::TryFromBytes as _;

/// An entry, or why there is none in its place.
type Entry = Result<DirectoryEntry, Errno>;

/// A directory's entries, of which some have been read.
#[derive(Debug)]
pub struct Directory {
    file: OpenFile,
    read: VecDeque<Entry>,
    /// Where the host goes on.
    position: u64,
    at_end: bool,
}

impl Directory {
    /// Begins to read: what there is to complain about is complained about now.
    ///
    /// The host has one position in a directory for each descriptor, and streams of the same
    /// directory must not move each other: each has a descriptor of its own.
    pub(super) fn open(of: &OpenFile, host: &mut Preview1) -> Result<Self, Failure> {
        let at = At { fd: of.fd, lookup: Lookupflags::empty(), path: "." };
        let fd = host.open(at, Oflags::DIRECTORY, Rights::FD_READ, Fdflags::empty())?;
        let file = OpenFile::new(fd, of.preopen, of.kind, of.flags);
        let mut directory = Self { file, read: VecDeque::new(), position: 0, at_end: false };
        directory.read_more(host)?;
        Ok(directory)
    }

    fn next(&mut self, host: &mut Preview1) -> Result<Option<DirectoryEntry>, Failure> {
        while self.read.is_empty() && !self.at_end {
            self.read_more(host)?;
        }
        Ok(self.read.pop_front().transpose()?)
    }

    fn read_more(&mut self, host: &mut Preview1) -> Result<(), Failure> {
        let before = self.position;
        let mut bytes = host.readdir(self.file.fd, self.position)?;
        self.at_end = bytes.len() < CHUNK;
        // The last one may be cut off; it comes again.
        while let Ok((head, rest)) = Dirent::try_read_from_prefix(bytes) {
            let Some((name, rest)) = rest.split_at_checked(head.name_len as usize) else { break };
            self.position = head.next;
            bytes = rest;
            // Preview 2 leaves these out.
            if name == b"." || name == b".." {
                continue;
            }
            // A name that the program could not be told is the error of its own entry alone.
            let name = String::from_utf8(name.to_vec());
            let entry = name.map(|name| DirectoryEntry { type_: kind(head.filetype), name });
            self.read.push_back(entry.map_err(|_| Errno::Ilseq));
        }
        // A name that no call's memory holds would be asked for again and again.
        match self.position == before && !self.at_end {
            true => Err(Errno::Overflow.into()),
            false => Ok(()),
        }
    }
}

impl HostDirectoryEntryStream for Wasi {
    fn read_directory_entry(
        &mut self,
        directory: Resource<Directory>,
    ) -> Result<Option<DirectoryEntry>, Failure> {
        self.table.get_mut(&directory)?.next(&mut self.host)
    }

    fn drop(&mut self, directory: Resource<Directory>) -> wasmtime::Result<()> {
        self.table.delete(directory)?;
        Ok(())
    }
}

//! Reading a directory, an entry after the other.
//!
//! Preview 1 names a position by a cookie. Here it counts entries: 1 is behind `.`, 2 behind `..`,
//! 3 behind the first that the system returns. The system's stream of entries stays open between
//! calls, so that a directory is read once, whatever the program's buffer, and entries that come
//! and go do not move the others. The last few entries are kept, since a program asks again for
//! the one that its buffer cut. A cookie farther back begins anew, as does 0.

use super::attributes;
use super::call::put;
use super::descriptors::Directory;
use super::errno::{OrErrno as _, Result};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use wasmtime_wasi::p1::types::{Dircookie, Filetype, Size};
use wiggle::{GuestMemory, GuestPtr};

/// Bytes of an entry before its name, as a program gets it.
const DIRENT: usize = 24;
/// Entries that are kept for a program that asks again.
const KEPT: usize = 64;

/// How far a directory was read.
#[derive(Default)]
pub(super) struct Listing {
    /// The system's stream, until its end.
    stream: Option<Dir>,
    /// Whether there was a stream.
    begun: bool,
    /// The latest entries.
    kept: VecDeque<Entry>,
    /// Which one the first of them is.
    first: u64,
}

/// An entry.
pub(super) struct Entry {
    /// Its name, which may be any bytes.
    pub(super) name: CString,
    /// Its inode, as far as the directory knows.
    pub(super) inode: u64,
    /// Its kind, as far as the directory knows.
    pub(super) kind: FileType,
}

impl Listing {
    /// Begins anew.
    pub(super) fn rewind(&mut self) {
        *self = Self::default();
    }

    /// Entry number `index`, if there are that many. `go_on` is asked before each entry that is
    /// read from the system.
    pub(super) fn entry(
        &mut self,
        directory: &File,
        index: u64,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<Option<&Entry>> {
        if index < self.first || !self.begun {
            self.rewind();
            self.stream = Some(open(directory)?);
            self.begun = true;
        }
        loop {
            let at = index - self.first;
            if at < self.kept.len() as u64 {
                return Ok(usize::try_from(at).ok().and_then(|at| self.kept.get(at)));
            }
            go_on()?;
            let Some(entry) = self.read()? else { return Ok(None) };
            self.kept.push_back(entry);
            if self.kept.len() > KEPT {
                self.kept.pop_front();
                self.first += 1;
            }
        }
    }

    /// The next entry of the stream, which is closed at its end.
    fn read(&mut self) -> Result<Option<Entry>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        for entry in stream {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.rewind();
                    return Err(error).or_errno();
                }
            };
            let name = entry.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                return Ok(Some(Entry { name, inode: entry.ino(), kind: entry.file_type() }));
            }
        }
        self.stream = None;
        Ok(None)
    }
}

/// A stream of its own over a directory's entries.
fn open(directory: &File) -> Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(directory, c".", flags, Mode::empty()).or_errno()?;
    Dir::new(opened).or_errno()
}

/// Entries behind `cookie`, as many as fit. The last may be cut; a buffer that is not full has them
/// all.
pub(super) fn read(
    memory: &mut GuestMemory<'_>,
    directory: &mut Directory,
    (buf, buf_len): (GuestPtr<u8>, Size),
    cookie: Dircookie,
    mut go_on: impl FnMut() -> Result<()>,
) -> Result<Size> {
    let Directory { directory, listing, .. } = directory;
    if cookie == 0 {
        listing.rewind();
    }
    let mut used = 0;
    let mut next = cookie;
    while used < buf_len {
        let (kind, inode, name) = match next.checked_sub(2) {
            None => (
                Filetype::Directory,
                own_inode(directory)?,
                if next == 0 { &b"."[..] } else { b".." },
            ),
            Some(index) => match listing.entry(directory, index, &mut go_on)? {
                Some(entry) => of_entry(directory, entry)?,
                None => break,
            },
        };
        // There is an entry, so this is not the last number.
        next += 1;
        let mut head = [0; DIRENT];
        head[..8].copy_from_slice(&next.to_le_bytes());
        head[8..16].copy_from_slice(&inode.to_le_bytes());
        head[16..20].copy_from_slice(&Size::try_from(name.len())?.to_le_bytes());
        head[20] = kind as u8;
        for bytes in [&head[..], name] {
            used += put(memory, buf.add(used)?, buf_len - used, bytes)?;
        }
    }
    Ok(used)
}

fn own_inode(directory: &File) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = directory.metadata().or_errno()?;
    Ok(attributes::inode(metadata.dev(), metadata.ino()))
}

/// Kind, inode and name of an entry.
fn of_entry<'a>(directory: &File, entry: &'a Entry) -> Result<(Filetype, u64, &'a [u8])> {
    let name = entry.name.to_bytes();
    // A file that has gone meanwhile is still what the directory said of it.
    Ok(match attributes::of_entry(directory, &entry.name) {
        Some((kind, inode)) => (kind, inode, name),
        None => (attributes::entry_type(entry.kind), attributes::inode(0, entry.inode), name),
    })
}

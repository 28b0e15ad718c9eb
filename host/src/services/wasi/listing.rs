//! Reading a directory, an entry after the other.
//!
//! Preview 1 names a position by a cookie. Here it counts entries: 1 is behind `.`, 2 behind `..`,
//! 3 behind the first that the system returns. The system's own positions would not do: they have
//! 64 bits, and wasi-libc's `telldir` returns the lowest 32 of a cookie.
//!
//! The system's stream of entries stays open between calls, so that a directory is read once,
//! whatever the program's buffer, and entries that come and go do not move the others. The last few
//! entries are kept, since a program asks again for the one that its buffer cut. For cookies
//! farther back (`seekdir`) the system's positions before the first 4,096 entries are noted: the
//! stream moves to one of them, or to the last and counts from there. Where the system has no such
//! positions (macOS), it begins anew, as it does for cookie 0.

use super::attributes;
use super::call::{Call, Fd};
use super::errno::{OrErrno as _, Result, go_on};
use super::memory::{Bytes, Place};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use wrt_abi::services::wasi::{Dirent, Filetype};
use wrt_platform::files::position_behind;
use zerocopy::IntoBytes as _;

/// Entries that are kept for a program that asks again.
const KEPT: usize = 64;
/// Positions that are noted at most: 32 KiB, about as much as the system's stream takes.
const MARKS: usize = 4096;

/// How far a directory was read.
#[derive(Default)]
pub(super) struct Listing {
    /// The system's stream, until its end.
    stream: Option<Dir>,
    /// Whether there was a stream.
    begun: bool,
    /// The latest entries.
    kept: VecDeque<Entry>,
    /// The number of the first of them.
    first: u64,
    /// The system's positions before entries from number 0 on.
    marks: Vec<i64>,
}

/// An entry.
pub(super) struct Entry {
    /// The number of the entry behind it: one more, if no entry has gone from between.
    pub(super) next: u64,
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

    /// The number of the entry that the stream returns next.
    fn end(&self) -> u64 {
        self.kept.back().map_or(self.first, |entry| entry.next)
    }

    /// The first entry from number `index` on, if there is one. `go_on` is asked before each entry
    /// that is read from the system.
    pub(super) fn entry(
        &mut self,
        directory: &File,
        index: u64,
        mut go_on: impl FnMut() -> Result<()>,
    ) -> Result<Option<&Entry>> {
        let mark = self.marks.len().checked_sub(1).map(|last| index.min(last as u64));
        if !self.begun || index < self.first || mark.is_some_and(|mark| mark > self.end()) {
            self.move_to(directory, mark)?;
        }
        while self.end() <= index {
            go_on()?;
            let Some(entry) = self.read()? else { return Ok(None) };
            if self.kept.len() == KEPT
                && let Some(oldest) = self.kept.pop_front()
            {
                self.first = oldest.next;
            }
            self.kept.push_back(entry);
        }
        // Each is number `index` or behind it if the one behind it is behind `index`.
        Ok(self.kept.iter().find(|entry| entry.next > index))
    }

    /// Moves the stream to the entry with this number, of which the position is noted, or to the
    /// beginning.
    fn move_to(&mut self, directory: &File, mark: Option<u64>) -> Result<()> {
        let position =
            mark.and_then(|mark| Some((mark, *self.marks.get(usize::try_from(mark).ok()?)?)));
        let Some((first, position)) = position else {
            self.rewind();
            self.stream = Some(open(directory)?);
            self.begun = true;
            return Ok(());
        };
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(directory)?,
        };
        stream.seek(position).or_errno()?;
        self.stream = Some(stream);
        self.kept.clear();
        self.first = first;
        Ok(())
    }

    /// The next entry of the stream, which is closed at its end.
    fn read(&mut self) -> Result<Option<Entry>> {
        let number = self.end();
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
                let next = match position_behind(&entry) {
                    Some(position) => self.number_at(number + 1, position),
                    None => number + 1,
                };
                return Ok(Some(Entry { next, name, inode: entry.ino(), kind: entry.file_type() }));
            }
        }
        self.stream = None;
        Ok(None)
    }

    /// The number of the entry at a position of the system's, which is `expected` unless the stream
    /// has been here before and entries have gone since. Notes the position.
    fn number_at(&mut self, expected: u64, position: i64) -> u64 {
        let Ok(at) = usize::try_from(expected) else { return expected };
        if at == 1 && self.marks.is_empty() {
            // Where every stream begins.
            self.marks.push(0);
        }
        if let Some(noted) = self.marks.get(at..).filter(|noted| !noted.is_empty()) {
            if let Some(gone) = noted.iter().position(|noted| *noted == position) {
                return expected + gone as u64;
            }
            // An entry is new, or there is no other behind this one: what was noted counts no more.
            self.marks.truncate(at);
        }
        if at == self.marks.len() && at < MARKS {
            self.marks.push(position);
        }
        expected
    }
}

/// A stream of its own over a directory's entries.
fn open(directory: &File) -> Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = openat(directory, c".", flags, Mode::empty()).or_errno()?;
    Dir::new(opened).or_errno()
}

impl Call<'_> {
    /// Writes entries behind `cookie`, as many as fit. The last may be cut; a buffer that is not
    /// full has them all.
    pub(super) fn fd_readdir(
        &mut self,
        fd: Fd,
        room: Bytes,
        cookie: u64,
        result: Place<u32>,
    ) -> Result<()> {
        let directory = self.wasi.descriptors.directory_mut(fd)?;
        let (directory, listing) = (&directory.directory, &mut directory.listing);
        if cookie == 0 {
            listing.rewind();
        }
        let (mut rest, mut next) = (room, cookie);
        while rest.len > 0 {
            let (filetype, ino, name) = match next.checked_sub(2) {
                None => {
                    let name = if next == 0 { &b"."[..] } else { b".." };
                    next += 1;
                    (Filetype::Directory, own_inode(directory)?, name)
                }
                Some(index) => match listing.entry(directory, index, || go_on(self.cancel))? {
                    Some(entry) => {
                        // There is an entry, so this is not the last number.
                        next = entry.next + 2;
                        of_entry(directory, entry)
                    }
                    None => break,
                },
            };
            let name_len = name.len().try_into()?;
            let head = Dirent { next, ino, name_len, filetype, ..Dirent::default() };
            for bytes in [head.as_bytes(), name] {
                let used = self.memory.fill(rest, bytes)?;
                // What is in memory has no address beyond 32 bits but its end.
                rest = Bytes { at: rest.at.wrapping_add(used), len: rest.len - used };
            }
        }
        self.memory.write(result, &(room.len - rest.len))
    }
}

fn own_inode(directory: &File) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = directory.metadata().or_errno()?;
    Ok(attributes::inode(metadata.dev(), metadata.ino()))
}

/// Kind, inode and name of an entry.
fn of_entry<'a>(directory: &File, entry: &'a Entry) -> (Filetype, u64, &'a [u8]) {
    let name = entry.name.to_bytes();
    // A file that has gone meanwhile is still what the directory said of it.
    match attributes::of_entry(directory, &entry.name) {
        Some((kind, inode)) => (kind, inode, name),
        None => (attributes::entry_type(entry.kind), attributes::inode(0, entry.inode), name),
    }
}

//! Output that goes to a file for whoever takes it over.

use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wrt_platform::memory::{Draft, SharedBytes};

/// Output in a file without a name, which its maker takes over; clones write to the same.
#[derive(Clone, Debug)]
pub struct OutputFile {
    file: Arc<Mutex<File>>,
    capacity: u64,
}

#[derive(Debug)]
struct File {
    draft: Draft,
    /// Bytes that this process has written.
    len: u64,
}

impl OutputFile {
    /// Makes a file for at most `capacity` bytes.
    ///
    /// # Errors
    ///
    /// When the system makes no such file.
    pub(crate) fn new(capacity: u64) -> io::Result<Self> {
        Ok(Self::of(Draft::new()?, capacity))
    }

    /// Takes a file that another process takes over.
    pub(crate) fn received(descriptor: OwnedFd, capacity: u64) -> Self {
        Self::of(Draft::received(descriptor), capacity)
    }

    fn of(draft: Draft, capacity: u64) -> Self {
        Self { file: Arc::new(Mutex::new(File { draft, len: 0 })), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes it takes.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// A descriptor for the process that writes.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.lock().draft.descriptor()
    }

    /// Adds what fits; returns how many bytes that were.
    pub(crate) fn write(&self, from: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut file = self.lock();
        let mut written = 0;
        for slice in from {
            let room = usize::try_from(self.capacity.saturating_sub(file.len));
            let part = &slice[..slice.len().min(room.unwrap_or(usize::MAX))];
            file.draft.write_at(part, file.len)?;
            file.len += part.len() as u64;
            written += part.len();
        }
        Ok(written)
    }

    /// Takes over what was written. `None` if that is nothing.
    ///
    /// # Errors
    ///
    /// As [`Draft::finish`].
    pub(crate) fn finish(&self) -> io::Result<Option<SharedBytes>> {
        self.lock().draft.finish(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_no_more_than_it_may_and_is_taken_over_whole() {
        let file = OutputFile::new(6).unwrap();
        let theirs = OutputFile::received(file.descriptor().unwrap(), file.capacity());
        assert_eq!(theirs.write(&[IoSlice::new(b"co"), IoSlice::new(b"de")]).unwrap(), 4);
        assert_eq!(theirs.write(&[IoSlice::new(b"abc")]).unwrap(), 2);
        assert_eq!(theirs.write(&[IoSlice::new(b"d")]).unwrap(), 0);
        assert_eq!(file.finish().unwrap().unwrap().as_slice(), b"codeab");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_taken_over_is_not_written_to() {
        let file = OutputFile::new(6).unwrap();
        let theirs = OutputFile::received(file.descriptor().unwrap(), file.capacity());
        assert_eq!(theirs.write(&[IoSlice::new(b"code")]).unwrap(), 4);
        let code = file.finish().unwrap().unwrap();
        assert!(theirs.write(&[IoSlice::new(b"!")]).is_err());
        assert_eq!(code.as_slice(), b"code");
    }
}

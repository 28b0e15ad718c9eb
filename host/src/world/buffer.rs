//! Output that is captured.

use std::io::IoSlice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Captured output; clones share the bytes.
#[derive(Clone, Debug)]
pub struct OutputBuffer {
    bytes: Arc<Mutex<Vec<u8>>>,
    capacity: usize,
}

impl OutputBuffer {
    /// Makes a buffer for at most `capacity` bytes.
    ///
    /// A program that writes more ends there, with
    /// [`Error::OutputLimit`](crate::Error::OutputLimit). The buffer keeps what fits.
    pub fn new(capacity: usize) -> Self {
        Self { bytes: Arc::default(), capacity }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes it takes.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds what fits; returns how many bytes that were.
    pub(crate) fn write(&self, from: &[IoSlice<'_>]) -> usize {
        let mut bytes = self.lock();
        let before = bytes.len();
        for slice in from {
            let room = self.capacity.saturating_sub(bytes.len());
            bytes.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        bytes.len() - before
    }

    /// Adds what a worker has captured; more than fits is not what it was asked for.
    pub(crate) fn append(&self, bytes: &[u8]) {
        self.write(&[IoSlice::new(bytes)]);
    }

    /// What was written so far.
    pub fn contents(&self) -> Vec<u8> {
        self.lock().clone()
    }

    /// At most `most` bytes of what was written behind the first `from`.
    pub(crate) fn piece(&self, from: usize, most: usize) -> Vec<u8> {
        let bytes = self.lock();
        let rest = bytes.get(from..).unwrap_or_default();
        rest[..rest.len().min(most)].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_follow_each_other() {
        let buffer = OutputBuffer::new(7);
        buffer.append(b"1234567890");
        let pieces = [(0, 3), (3, 3), (6, 3), (7, 3), (99, 3)];
        let pieces = pieces.map(|(from, most)| buffer.piece(from, most));
        assert_eq!(pieces, [&b"123"[..], b"456", b"7", b"", b""]);
    }
}

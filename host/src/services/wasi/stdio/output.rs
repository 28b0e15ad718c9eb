//! Standard output and standard error.

use super::super::errno::{Failed, OrErrno as _, Result};
use super::{Stream, persist};
use crate::error::Error;
use crate::machine::CancelState;
use crate::world::{Output, OutputBuffer, OutputFile};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::IoSlice;
use std::os::fd::{AsFd as _, BorrowedFd};
use wrt_abi::services::wasi::Errno;

/// Bytes that the system is given at once: a write to a file cannot be interrupted.
const AT_ONCE: usize = 64 << 20;

/// Where a program's output goes, and how much of it there may be.
#[derive(Debug)]
pub(in crate::services::wasi) struct Outputs {
    output: Output,
    error: Output,
    /// The most bytes, of both together.
    limit: Option<u64>,
    written: u64,
}

impl Outputs {
    pub(super) fn new([output, error]: [Output; 2], limit: Option<u64>) -> Self {
        Self { output, error, limit, written: 0 }
    }

    /// Writes these bytes. Of a write that is over the limit, what fits is written before the
    /// program ends.
    pub(in crate::services::wasi) fn write(
        &mut self,
        stream: Stream,
        from: &[IoSlice<'_>],
        cancel: &CancelState,
    ) -> Result<usize> {
        let wanted = total(from);
        let Some(limit) = self.limit else { return self.write_all(stream, from, cancel) };
        let room = limit - self.written;
        if room >= wanted as u64 {
            let written = self.write_all(stream, from, cancel)?;
            self.written += written as u64;
            return Ok(written);
        }
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let written = self.write_all(stream, &first(from, room), cancel)?;
        self.written += written as u64;
        match written == room {
            true => Err(Failed::Ended(Error::OutputLimit { limit })),
            // The rest is for the program's next call.
            false => Ok(written),
        }
    }

    fn write_all(
        &self,
        stream: Stream,
        from: &[IoSlice<'_>],
        cancel: &CancelState,
    ) -> Result<usize> {
        let (to, is_error) = match stream {
            Stream::Error => (&self.error, true),
            Stream::Output | Stream::Input => (&self.output, false),
        };
        match to {
            Output::Discard => Ok(total(from)),
            Output::Capture(buffer) => capture(buffer, from),
            Output::File(file) => keep(file, from),
            Output::Inherit if is_error => write_to(std::io::stderr().as_fd(), from, cancel),
            Output::Inherit => write_to(std::io::stdout().as_fd(), from, cancel),
        }
    }
}

fn total(slices: &[IoSlice<'_>]) -> usize {
    slices.iter().map(|slice| slice.len()).sum()
}

/// The first `len` bytes, or all if there are fewer.
fn first<'s>(slices: &'s [IoSlice<'_>], len: usize) -> Vec<IoSlice<'s>> {
    let mut left = len;
    let parts = slices.iter().map_while(|slice| {
        let part = slice.len().min(left);
        left -= part;
        (part > 0).then(|| IoSlice::new(&slice[..part]))
    });
    parts.collect()
}

fn capture(buffer: &OutputBuffer, from: &[IoSlice<'_>]) -> Result<usize> {
    let wanted = total(from);
    match buffer.write(from) {
        written if written == wanted => Ok(written),
        _ => Err(Failed::Ended(Error::OutputLimit { limit: buffer.capacity() as u64 })),
    }
}

fn keep(file: &OutputFile, from: &[IoSlice<'_>]) -> Result<usize> {
    let wanted = total(from);
    match file.write(from) {
        Ok(written) if written == wanted => Ok(written),
        Ok(_) => Err(Failed::Ended(Error::OutputLimit { limit: file.capacity() })),
        Err(error) => Err(error).or_errno(),
    }
}

/// Writes all, or what can be written before an error.
fn write_to(to: BorrowedFd<'_>, from: &[IoSlice<'_>], cancel: &CancelState) -> Result<usize> {
    let wait = || poll(&mut [PollFd::new(&to, PollFlags::OUT)], None).map(|_| ());
    let mut rest = from.to_vec();
    let (mut rest, mut written) = (rest.as_mut_slice(), 0);
    while !rest.is_empty() {
        let now = first(rest, AT_ONCE);
        match persist(cancel, || rustix::io::writev(to, &now), wait) {
            Ok(0) if written == 0 => return Err(Errno::Io.into()),
            // It fails again when the program writes the rest, and is told then.
            Ok(0) | Err(Failed::Errno(_)) if written > 0 => break,
            Ok(moved) => {
                written += moved;
                IoSlice::advance_slices(&mut rest, moved);
            }
            Err(failed) => return Err(failed),
        }
    }
    Ok(written)
}

//! Reads the archives that hold the corpora.
//!
//! They are tar archives of POSIX.1-1988 ("ustar"), as `corpora/archive` packs them: regular files
//! with short names, and nothing else. To read those takes fewer lines than a crate for all kinds of
//! archives adds to the lock file.

use std::io::{Error, ErrorKind, Result};
use std::str::from_utf8;

/// Headers and contents fill whole blocks.
const BLOCK: usize = 512;

/// Splits an archive into inputs, each with its name.
pub(crate) fn unpack(mut archive: &[u8]) -> Result<Vec<(&str, &[u8])>> {
    let mut inputs = Vec::new();
    loop {
        let (header, rest) = archive.split_at_checked(BLOCK).ok_or(ErrorKind::UnexpectedEof)?;
        // An empty block is the end.
        if header.iter().all(|byte| *byte == 0) {
            return Ok(inputs);
        }
        let (name, kind) = (text(&header[..100])?, header[156]);
        if &header[257..262] != b"ustar" || kind != b'0' {
            return Err(Error::other(format!("{name:?} is not a file by its header")));
        }
        let len = usize::from_str_radix(text(&header[124..136])?, 8).map_err(Error::other)?;
        let (input, _) = rest.split_at_checked(len).ok_or(ErrorKind::UnexpectedEof)?;
        inputs.push((name, input));
        archive = rest.get(len.next_multiple_of(BLOCK)..).ok_or(ErrorKind::UnexpectedEof)?;
    }
}

/// The text of a header's field.
fn text(field: &[u8]) -> Result<&str> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    from_utf8(&field[..end]).map_err(Error::other)
}

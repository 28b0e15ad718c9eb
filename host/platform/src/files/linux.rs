//! Linux.

use rustix::fs::{AtFlags, OFlags, Timestamps, fadvise, utimensat};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;

pub use rustix::fs::Advice;

/// Whether `rename` follows a symbolic link that is named with a slash behind it.
pub const RENAME_FOLLOWS_LINKS: bool = false;

/// Flags that open what is named without the right to read or write it, where there are such.
pub const NAMED: OFlags = OFlags::PATH;

/// Where a directory's stream is behind an entry, for [`rustix::fs::Dir::seek`], if the system says
/// so: other entries may come and go meanwhile.
pub fn position_behind(entry: &rustix::fs::DirEntry) -> Option<i64> {
    Some(entry.offset())
}

/// Says how a part of a file will be used; up to its end if there is no length.
///
/// # Errors
///
/// The system's.
pub fn advise(file: &File, offset: u64, len: Option<NonZeroU64>, advice: Advice) -> io::Result<()> {
    Ok(fadvise(file, offset, len, advice)?)
}

/// Changes the times of what `open` opens with the flags it is given, which make it name a file
/// and no more: pipes and devices do not notice.
///
/// # Errors
///
/// Those of `open` and of the system. macOS cannot do it.
pub fn set_times_of_named(
    open: impl FnOnce(OFlags) -> io::Result<File>,
    times: &Timestamps,
) -> io::Result<()> {
    let named = open(NAMED)?;
    Ok(utimensat(&named, c"", times, AtFlags::EMPTY_PATH)?)
}

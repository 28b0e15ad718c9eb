//! macOS.

use rustix::fs::{OFlags, Timestamps, fcntl_rdadvise};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;

/// Whether `rename` follows a symbolic link that is named with a slash behind it.
pub const RENAME_FOLLOWS_LINKS: bool = true;

/// Flags that open what is named without the right to read or write it, where there are such.
pub const NAMED: OFlags = OFlags::empty();

/// How a part of a file will be used.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "as on Linux")]
pub enum Advice {
    Normal,
    Sequential,
    Random,
    NoReuse,
    WillNeed,
    DontNeed,
}

/// Where a directory's stream is behind an entry, for [`rustix::fs::Dir::seek`], if the system says
/// so: other entries may come and go meanwhile.
pub fn position_behind(_entry: &rustix::fs::DirEntry) -> Option<i64> {
    None
}

/// Says how a part of a file will be used; up to its end if there is no length.
///
/// # Errors
///
/// The system's.
pub fn advise(file: &File, offset: u64, len: Option<NonZeroU64>, advice: Advice) -> io::Result<()> {
    match advice {
        Advice::WillNeed => Ok(fcntl_rdadvise(file, offset, len.map_or(0, Into::into))?),
        _ => Ok(()),
    }
}

/// Changes the times of what `open` opens with the flags it is given, which make it name a file
/// and no more: pipes and devices do not notice.
///
/// # Errors
///
/// Always: macOS has no such flags.
pub fn set_times_of_named(
    _open: impl FnOnce(OFlags) -> io::Result<File>,
    _times: &Timestamps,
) -> io::Result<()> {
    Err(Errno::NOTSUP.into())
}

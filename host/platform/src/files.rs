//! What systems do with open files under different names.

use rustix::fs::{OFlags, Timestamps};
use std::fs::File;
use std::io;

#[cfg(target_os = "linux")]
pub use rustix::fs::Advice;

/// Whether `rename` follows a symbolic link that is named with a slash behind it.
pub const RENAME_FOLLOWS_LINKS: bool = cfg!(target_os = "macos");

/// Flags that open what is named without the right to read or write it, where there are such.
#[cfg(target_os = "linux")]
pub const NAMED: OFlags = OFlags::PATH;

/// Flags that open what is named without the right to read or write it, where there are such.
#[cfg(target_os = "macos")]
pub const NAMED: OFlags = OFlags::empty();

/// Says how a part of a file will be used; up to its end if there is no length.
///
/// # Errors
///
/// The system's.
#[cfg(target_os = "linux")]
pub fn advise(
    file: &File,
    offset: u64,
    len: Option<std::num::NonZeroU64>,
    advice: Advice,
) -> io::Result<()> {
    Ok(rustix::fs::fadvise(file, offset, len, advice)?)
}

/// Changes the times of what `open` opens with the flags it is given, which make it name a file
/// and no more: pipes and devices do not notice.
///
/// # Errors
///
/// Those of `open` and of the system. macOS cannot do it.
#[cfg(target_os = "linux")]
pub fn set_times_of_named(
    open: impl FnOnce(OFlags) -> io::Result<File>,
    times: &Timestamps,
) -> io::Result<()> {
    let named = open(NAMED)?;
    Ok(rustix::fs::utimensat(&named, c"", times, rustix::fs::AtFlags::EMPTY_PATH)?)
}

/// How a part of a file will be used.
#[cfg(target_os = "macos")]
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

/// Says how a part of a file will be used; up to its end if there is no length.
///
/// # Errors
///
/// The system's.
#[cfg(target_os = "macos")]
pub fn advise(
    file: &File,
    offset: u64,
    len: Option<std::num::NonZeroU64>,
    advice: Advice,
) -> io::Result<()> {
    match advice {
        Advice::WillNeed => {
            Ok(rustix::fs::fcntl_rdadvise(file, offset, len.map_or(0, Into::into))?)
        }
        _ => Ok(()),
    }
}

/// Changes the times of what `open` opens with the flags it is given, which make it name a file
/// and no more: pipes and devices do not notice.
///
/// # Errors
///
/// Always: macOS has no such flags.
#[cfg(target_os = "macos")]
pub fn set_times_of_named(
    _open: impl FnOnce(OFlags) -> io::Result<File>,
    _times: &Timestamps,
) -> io::Result<()> {
    Err(rustix::io::Errno::NOTSUP.into())
}

//! The kernel's table of system calls, and which of them take the path of a file.
//!
//! Every number of x86-64 and arm64 up to [`LAST`] is here, so that none is forgotten; numbers
//! above are those of kernels to come, which a jail must deny unseen.

mod others;
mod paths;

/// The highest number that is classified here (Linux 6.18).
pub(crate) const LAST: i64 = 470;
/// Where the kernel has no such call.
const NONE: i64 = -1;
/// Place in the pairs of numbers of the processor that this is built for.
const HERE: usize = if cfg!(target_arch = "x86_64") { 0 } else { 1 };

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// A directory that the path behind it begins in, unless that is absolute.
    At,
    /// The path of a file.
    Path,
    /// The path of a symbolic link.
    Link,
    /// The path of a directory.
    Folder,
    /// The path of a file that is not there.
    New,
    /// A string that is no path.
    Text,
    /// Room for what the call returns.
    Room,
    /// A structure of `openat2` that asks for an `O_PATH` descriptor.
    How,
    /// A number.
    Number(usize),
    /// The owner or group stays.
    Same,
}

/// A system call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    numbers: [i64; 2],
    /// Its arguments, if one is the path of a file.
    pub(crate) arguments: &'static [Argument],
}

const fn taking(name: &'static str, numbers: [i64; 2], arguments: &'static [Argument]) -> Call {
    Call { name, numbers, arguments }
}

const fn other(name: &'static str, numbers: [i64; 2]) -> Call {
    taking(name, numbers, &[])
}

impl Call {
    /// Its number on this processor.
    pub(crate) fn number(&self) -> Option<i64> {
        Some(self.numbers[HERE]).filter(|number| *number != NONE)
    }
}

/// Those that take the path of a file here.
pub(crate) fn taking_paths() -> impl Iterator<Item = (&'static Call, i64)> {
    paths::CALLS.iter().filter_map(|call| Some((call, call.number()?)))
}

/// Numbers that no kernel has yet.
pub(crate) fn unknown() -> impl Iterator<Item = i64> {
    LAST + 1..LAST + 130
}

/// Checks that each number of the table is classified once.
pub(crate) fn check() -> Result<(), String> {
    // Numbers that the kernel leaves out, first and last.
    let gaps: [&[(i64, i64)]; 2] = [&[(337, 423)], &[(244, 259), (295, 423)]];
    for (processor, gaps) in gaps.iter().enumerate() {
        for number in 0..=LAST {
            let all = paths::CALLS.iter().chain(others::CALLS);
            let found: Vec<_> = all
                .filter(|call| call.numbers[processor] == number)
                .map(|call| call.name)
                .collect();
            let is_gap = gaps.iter().any(|(first, last)| (*first..=*last).contains(&number));
            if found.len() != usize::from(!is_gap) {
                return Err(format!("processor {processor}, number {number}: {found:?}"));
            }
        }
    }
    Ok(())
}

//! What every call that takes a path reaches: tried with paths that lead out of a jail.

use crate::kernel::{self, Argument};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// `AT_FDCWD` of `linux/fcntl.h`.
const CURRENT: i32 = -100;

/// A process that makes system calls as it is told.
pub(crate) trait Caller {
    /// Puts bytes into its memory; at the same place each time, so that the last ones count.
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Makes a call; returns what the kernel does.
    fn call(&mut self, number: i64, arguments: [usize; 6]) -> io::Result<isize>;
}

/// This process.
#[derive(Default)]
pub(crate) struct Itself(Vec<u8>);

impl Caller for Itself {
    fn put(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = bytes.to_vec();
        Ok(self.0.as_mut_ptr().expose_provenance())
    }

    fn call(&mut self, number: i64, arguments: [usize; 6]) -> io::Result<isize> {
        let [a, b, c, d, e, f] = arguments;
        // SAFETY: what the arguments lead to is in the bytes that were put last, with room for
        // what the kernel writes; of the calls that could change this process otherwise
        // (`execve`, `chdir`) none finds a file.
        let returned = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        Ok(match isize::try_from(returned).unwrap_or(-1) {
            -1 => {
                let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
                -isize::try_from(errno).unwrap_or(0)
            }
            returned => returned,
        })
    }
}

/// Files that no call may reach: below a directory that is not opened to the program.
pub(crate) struct Targets {
    folder: PathBuf,
    before: Vec<(PathBuf, State)>,
}

/// What a call could have changed of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    mode: u32,
    owner: u32,
    links: u64,
    size: u64,
    changed: (i64, i64),
}

impl Targets {
    /// Makes them.
    pub(crate) fn make(folder: &Path) -> io::Result<Self> {
        fs::write(folder.join("secret"), "text")?;
        fs::create_dir_all(folder.join("folder"))?;
        std::os::unix::fs::symlink("secret", folder.join("link"))?;
        let mut targets = Self { folder: folder.to_owned(), before: Vec::new() };
        targets.before = targets.state()?;
        Ok(targets)
    }

    /// As they are, by their names.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), before: Vec::new() }
    }

    fn state(&self) -> io::Result<Vec<(PathBuf, State)>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let found = fs::symlink_metadata(&path)?;
            let state = State {
                mode: found.mode(),
                owner: found.uid(),
                links: found.nlink(),
                size: found.size(),
                changed: (found.ctime(), found.ctime_nsec()),
            };
            all.push((path, state));
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// Checks that nothing was changed, removed or made.
    ///
    /// # Panics
    ///
    /// When something was.
    pub(crate) fn check(&self) {
        assert_eq!(self.state().unwrap(), self.before);
    }
}

/// How a path leads to a target.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By an absolute path.
    Absolute,
    /// By an absolute path in the directory of a process.
    Process(&'static str),
    /// From the working directory, past the root.
    Above,
    /// Out of an open directory with this number.
    Out(i32),
    /// To what is in an open directory with this number.
    Inside(i32),
}

impl Way {
    fn path(self, target: &Path) -> PathBuf {
        let inside = target.strip_prefix("/").unwrap_or(target);
        match self {
            Self::Absolute => target.to_owned(),
            Self::Process(root) => Path::new(root).join(inside),
            Self::Above => Path::new("../../../../../../../../../..").join(inside),
            // The open directory is a neighbour of the targets' folder.
            Self::Out(_) => {
                let mut below = target.iter().rev().take(2).collect::<Vec<&OsStr>>();
                below.push(OsStr::new(".."));
                below.into_iter().rev().collect()
            }
            Self::Inside(_) => target.file_name().unwrap_or_default().into(),
        }
    }

    fn at(self) -> i32 {
        match self {
            Self::Out(directory) | Self::Inside(directory) => directory,
            _ => CURRENT,
        }
    }
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) what: String,
    pub(crate) returned: isize,
}

impl Attempt {
    /// Whether the call is not there, was not permitted, or found nothing.
    pub(crate) fn is_refused(&self) -> bool {
        // The last is what an empty root by `chroot` says.
        [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::ENOENT, libc::ESRCH, libc::EROFS]
            .iter()
            .any(|errno| isize::try_from(-errno).is_ok_and(|errno| errno == self.returned))
    }

    /// Whether it asked for names, sizes or times, and no more.
    pub(crate) fn looks(&self) -> bool {
        let name = self.what.split(' ').next().unwrap_or_default();
        // Files are opened without the right to read them.
        ["openat", "openat2", "newfstatat", "statx", "readlinkat"].contains(&name)
    }

    /// Whether its path led out of an open directory.
    pub(crate) fn led_out(&self) -> bool {
        self.what.contains(" Out(")
    }
}

/// Tries every call that takes a path, each way. `open`: directories beside the targets' folder
/// that are open in the process.
pub(crate) fn try_paths(
    caller: &mut impl Caller,
    targets: &Targets,
    open: &[i32],
) -> io::Result<Vec<Attempt>> {
    let mut ways = vec![
        Way::Absolute,
        Way::Above,
        Way::Process("/proc/self/root"),
        Way::Process("/proc/1/root"),
    ];
    ways.extend(open.iter().copied().map(Way::Out));
    let mut attempts = Vec::new();
    for (call, number) in kernel::taking_paths() {
        for way in &ways {
            // Without a directory to begin from a path cannot lead out of one.
            if matches!(way, Way::Out(_)) && !call.arguments.contains(&Argument::At) {
                continue;
            }
            let returned = make(caller, number, call.arguments, *way, &targets.folder)?;
            attempts.push(Attempt { what: format!("{} {way:?}", call.name), returned });
        }
    }
    Ok(attempts)
}

/// Tries to change what is in a directory that is open to be read: by every call that takes a path,
/// and the times of a file that is open.
pub(crate) fn try_read_only(
    caller: &mut impl Caller,
    targets: &Targets,
    open: i32,
) -> io::Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    for (call, number) in kernel::taking_paths() {
        if call.arguments.contains(&Argument::At) {
            let way = Way::Inside(open);
            let returned = make(caller, number, call.arguments, way, &targets.folder)?;
            attempts.push(Attempt { what: format!("{} {way:?}", call.name), returned });
        }
    }
    let path = caller.put(b"secret\0")?;
    let directory = usize::try_from(open).map_err(io::Error::other)?;
    let file = caller.call(libc::SYS_openat, [directory, path, 0, 0, 0, 0])?;
    let file = usize::try_from(file).map_err(|_| io::Error::other("it cannot be read"))?;
    let returned = caller.call(libc::SYS_utimensat, [file, 0, 0, 0, 0, 0])?;
    attempts.push(Attempt { what: TIMES_OF_OPEN.to_owned(), returned });
    caller.call(libc::SYS_close, [file, 0, 0, 0, 0, 0])?;
    Ok(attempts)
}

/// The times of a file that is open to be read.
pub(crate) const TIMES_OF_OPEN: &str = "times of what is open";

/// The same for calls that change nothing that matters, from a process that is in no jail.
pub(crate) fn try_some(
    caller: &mut impl Caller,
    targets: &Targets,
    open: i32,
) -> io::Result<Vec<Attempt>> {
    let harmless =
        ["openat", "openat2", "newfstatat", "statx", "readlinkat", "utimensat", "fchmodat"];
    let mut attempts = Vec::new();
    for (call, number) in kernel::taking_paths().filter(|(call, _)| harmless.contains(&call.name)) {
        for way in [Way::Absolute, Way::Above, Way::Process("/proc/self/root"), Way::Out(open)] {
            let returned = make(caller, number, call.arguments, way, &targets.folder)?;
            attempts.push(Attempt { what: format!("{} {way:?}", call.name), returned });
        }
    }
    Ok(attempts)
}

/// Tries the numbers of calls that no kernel has yet.
pub(crate) fn try_unknown(caller: &mut impl Caller) -> io::Result<Vec<Attempt>> {
    kernel::unknown()
        .map(|number| {
            let returned = caller.call(number, [0; 6])?;
            Ok(Attempt { what: format!("call {number}"), returned })
        })
        .collect()
}

/// Bytes for each string or structure.
const PIECE: usize = 1024;

fn make(
    caller: &mut impl Caller,
    number: i64,
    kinds: &[Argument],
    way: Way,
    folder: &Path,
) -> io::Result<isize> {
    let mut bytes = vec![0; PIECE * kinds.len()];
    let piece = |kind: &Argument| {
        let path = |name: &str| way.path(&folder.join(name)).as_os_str().as_bytes().to_vec();
        match kind {
            Argument::Path => path("secret"),
            Argument::Link => path("link"),
            Argument::Folder => path("folder"),
            Argument::New => path("made"),
            Argument::Text => b"user.text".to_vec(),
            // `O_PATH` of `asm-generic/fcntl.h`, in the first of three words.
            Argument::How => 0o10_000_000_u64.to_ne_bytes().to_vec(),
            _ => Vec::new(),
        }
    };
    for (place, kind) in kinds.iter().enumerate() {
        let piece = piece(kind);
        assert!(piece.len() < PIECE, "{piece:?} is too long");
        bytes[place * PIECE..place * PIECE + piece.len()].copy_from_slice(&piece);
    }
    let start = caller.put(&bytes)?;
    let mut arguments = [0; 6];
    for (place, kind) in kinds.iter().enumerate() {
        arguments[place] = match kind {
            Argument::Number(number) => *number,
            Argument::At => usize::from_ne_bytes((way.at() as isize).to_ne_bytes()),
            Argument::Same => u32::MAX as usize,
            _ => start + place * PIECE,
        };
    }
    caller.call(number, arguments)
}

//! The same calls on files of the same kind, here and in `wasmtime-wasi`: with the same results,
//! of which the files are a part.

use super::{ARGUMENTS, MEMORY, PATH, RESULT, ROOT, SECOND, VARIABLE, World, raw, scratch};
use crate::services::wasi::ALLOCATION_MAX;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::p1::wasi_snapshot_preview1::WasiSnapshotPreview1 as _;
use wasmtime_wasi::runtime::in_tokio;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};
use wiggle::GuestMemory;
use wrt_abi::services::wasi::FunctionId as Id;

/// Paths of all kinds, of which `LONG` stands for one that is too long.
const PATHS: &[&str] = &[
    "file",
    "file/",
    "file/.",
    "file/x",
    "dir",
    "dir/",
    "dir//",
    "dir/.",
    "dir/..",
    "dir/file",
    "./file",
    "dir/../file",
    "empty",
    "empty/",
    "empty/../..",
    "missing",
    "missing/",
    "missing/x",
    "link",
    "link/",
    "link-dir",
    "link-dir/",
    "link-dir/file",
    "link-link",
    "dangling",
    "dangling/",
    "loop",
    "loop/",
    "absolute",
    "absolute/etc",
    "out",
    "out/",
    "out/secret",
    ".",
    "./",
    "..",
    "../outside",
    "/",
    "/file",
    "",
    "a\0b",
    "LONG",
];

/// Paths to open with all kinds of flags.
const OPENED: &[&str] = &[
    "file",
    "file/",
    "dir",
    "dir/",
    "missing",
    "missing/",
    "link",
    "link/",
    "link-dir",
    "link-dir/",
    "dangling",
    "loop",
    "absolute",
    "out",
    ".",
    "..",
    "",
];

/// Paths for calls that take two.
const PAIRED: &[&str] = &[
    "file",
    "file/",
    "dir",
    "dir/",
    "dir/file",
    "empty",
    "empty/",
    "missing",
    "missing/",
    "link",
    "link/",
    "link-dir",
    "link-dir/",
    "dangling",
    "loop",
    ".",
    "..",
    "/",
    "",
    "out",
    "dir/new",
];

/// What is there, in a folder beside which there is another.
fn populate(world: &Path) {
    let root = world.join("root");
    for folder in ["root/dir", "root/empty", "outside"] {
        fs::create_dir_all(world.join(folder)).unwrap();
    }
    fs::write(world.join("outside/secret"), "not yours").unwrap();
    fs::write(root.join("file"), "0123456789").unwrap();
    fs::write(root.join("dir/file"), "inside").unwrap();
    for (name, target) in [
        ("link", "file"),
        ("link-dir", "dir"),
        ("link-link", "link"),
        ("dangling", "missing"),
        ("loop", "loop"),
        ("absolute", "/"),
        ("out", "../outside"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
}

/// Everything in a folder: mode, links, time and content.
type Tree = BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)>;

fn tree(folder: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(path) = pending.pop() {
        let at = folder.join(&path);
        let metadata = fs::symlink_metadata(&at).unwrap();
        let content = if metadata.is_dir() {
            pending.extend(fs::read_dir(&at).unwrap().map(|e| path.join(e.unwrap().file_name())));
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&at).unwrap().into_os_string().into_encoded_bytes()
        } else {
            fs::read(&at).unwrap()
        };
        let links = if metadata.is_dir() { 0 } else { metadata.nlink() };
        // Times are now, or what a call has set them to: long ago.
        let time = Some(metadata.mtime()).filter(|time| *time < 1_000_000).unwrap_or_default();
        found.insert(path, (metadata.mode(), links, time, content));
    }
    found
}

/// What comes of a call: an errno, or `None` for a trap.
pub(super) type Errno = Option<i32>;

/// One of the two hosts.
trait Host {
    fn call(&mut self, id: Id, words: &[u64]) -> Errno;
    fn bytes(&mut self) -> &mut [u8];
}

impl Host for World {
    fn call(&mut self, id: Id, words: &[u64]) -> Errno {
        self.try_call(id, words).unwrap()
    }

    fn bytes(&mut self) -> &mut [u8] {
        self.bytes()
    }
}

struct Peer {
    world: WasiP1Ctx,
    memory: Vec<u64>,
}

impl Peer {
    fn new(directory: &Path) -> Self {
        let mut builder = WasiCtxBuilder::new();
        builder.args(&ARGUMENTS).env(VARIABLE.0, VARIABLE.1);
        builder.allow_blocking_current_thread(true);
        builder.preopened_dir(directory, ".", FsPerms::ReadWrite).unwrap();
        Self { world: builder.build_p1(), memory: vec![0; MEMORY / 8] }
    }
}

impl Host for Peer {
    fn call(&mut self, id: Id, words: &[u64]) -> Errno {
        let mut arguments = [0; 9];
        arguments[..words.len()].copy_from_slice(words);
        self.world.set_hostcall_fuel(usize::try_from(ALLOCATION_MAX).unwrap());
        let bytes = zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..]);
        let memory = &mut GuestMemory::Unshared(bytes);
        in_tokio(raw::call(&mut self.world, memory, id, &arguments)).ok()
    }

    fn bytes(&mut self) -> &mut [u8] {
        zerocopy::IntoBytes::as_mut_bytes(&mut self.memory[..])
    }
}

/// Both hosts, each with a folder of its own.
pub(super) struct Both {
    folders: [TempDir; 2],
    ours: World,
    peer: Peer,
    /// The files as they were at first.
    first: Tree,
    untouched: bool,
}

impl Both {
    pub(super) fn new() -> Self {
        let folders = [scratch(), scratch()];
        folders.iter().for_each(|folder| populate(folder.path()));
        let [ours, peer] = [0, 1].map(|n: usize| folders[n].path().join("root"));
        let (ours, peer) = (World::new(&ours), Peer::new(&peer));
        let first = tree(folders[0].path());
        Self { ours, peer, folders, first, untouched: true }
    }

    /// Both as they were at first.
    fn renewed(self) -> Self {
        if self.untouched { self } else { Self::new() }
    }

    /// Makes a call in both, with strings in memory; says what differs.
    pub(super) fn call(
        &mut self,
        id: Id,
        strings: &[(u64, &str)],
        words: &[u64],
    ) -> Result<Errno, String> {
        let (long, hosts) = ("x".repeat(300), [&mut self.ours as &mut dyn Host, &mut self.peer]);
        let mut seen = hosts.map(|host| {
            host.bytes().fill(0);
            for (at, string) in strings {
                let string = if *string == "LONG" { &long } else { *string };
                let at = usize::try_from(*at).unwrap();
                host.bytes()[at..][..string.len()].copy_from_slice(string.as_bytes());
            }
            let errno = host.call(id, words);
            (errno, masked(id, host.bytes()))
        });
        let [ours, peer] = &mut seen;
        if ours.0 != peer.0 {
            return Err(format!("{:?}, and in the peer {:?}", ours.0, peer.0));
        }
        if ours.0 == Some(0) && ours.1 != peer.1 {
            let differs = ours.1.iter().zip(&peer.1).position(|(a, b)| a != b);
            return Err(format!("memory differs at {differs:?}"));
        }
        Ok(ours.0)
    }

    /// Compares the files.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        let [ours, peer] = [0, 1].map(|n: usize| tree(self.folders[n].path()));
        if ours != peer {
            return Err(format!("files are {ours:?}, and in the peer {peer:?}"));
        }
        self.untouched = ours == self.first;
        Ok(())
    }
}

/// Memory without what differs from file to file: inodes and times. The time of the last change of
/// status is the file's birth in `wasmtime-wasi`.
fn masked(id: Id, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if matches!(id, Id::FdFilestatGet | Id::PathFilestatGet) {
        let stat = usize::try_from(RESULT).unwrap();
        bytes[stat + 8..stat + 16].fill(0);
        bytes[stat + 40..stat + 64].fill(0);
        // How large a directory is depends on its file system, and what was in it.
        if bytes[stat + 16] == 3 {
            bytes[stat + 24..stat + 40].fill(0);
        }
    }
    if matches!(id, Id::FdReaddir | Id::RandomGet | Id::ClockTimeGet | Id::PollOneoff) {
        // The order and the inodes depend on the file system, and some things on chance. Of what
        // `poll_oneoff` writes see `subscriptions`.
        bytes.fill(0);
    }
    bytes
}

/// Collects what differs, to show all of it.
#[derive(Default)]
pub(super) struct Differences(Vec<String>);

impl Differences {
    pub(super) fn add(&mut self, what: impl FnOnce() -> String, result: Result<(), String>) {
        if let Err(difference) = result {
            self.0.push(format!("{}: {difference}", what()));
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(self.0.is_empty(), "{} differ:\n{}", self.0.len(), self.0.join("\n"));
        }
    }
}

/// What has a length of `path`, as a call takes it.
fn len(path: &str) -> u64 {
    if path == "LONG" { 300 } else { path.len() as u64 }
}

/// Makes one call for each of `paths`.
fn each(id: Id, paths: &[&str], words: impl Fn(u64) -> Vec<u64>) {
    let mut differences = Differences::default();
    let mut both = Both::new();
    for path in paths {
        both = both.renewed();
        let words = words(len(path));
        let called = both.call(id, &[(PATH, path)], &words);
        let same = called.and_then(|_| both.compare());
        differences.add(|| format!("{id:?} of {path:?} with {words:?}"), same);
    }
}

#[test]
fn calls_of_one_path() {
    // What ends like a directory's path is one. This version of the peer loses that where it does
    // not follow links; later ones do not.
    let ends_as_directory = |path: &&&str| path.ends_with('/') || path.ends_with("/.");
    let others: Vec<&str> = PATHS.iter().filter(|path| !ends_as_directory(path)).copied().collect();
    for (lookup, paths) in [(0, others.as_slice()), (1, PATHS)] {
        each(Id::PathFilestatGet, paths, |len| vec![ROOT, lookup, PATH, len, RESULT]);
    }
    for lookup in [0, 1] {
        // Where no time changes, the peer does not look whether there is such a file.
        for flags in [1, 2, 3, 4, 5, 12, 15] {
            each(Id::PathFilestatSetTimes, PATHS, |len| {
                vec![ROOT, lookup, PATH, len, 5_000_000_001, 7_000_000_002, flags]
            });
        }
    }
    for id in [Id::PathCreateDirectory, Id::PathRemoveDirectory, Id::PathUnlinkFile] {
        each(id, PATHS, |len| vec![ROOT, PATH, len]);
    }
    for room in [0, 2, 64] {
        each(Id::PathReadlink, PATHS, |len| vec![ROOT, PATH, len, RESULT + 64, room, RESULT]);
    }
}

/// Makes one call for each pair of paths.
fn each_pair(id: Id, old: &[&str], words: impl Fn(u64, u64) -> Vec<u64>) {
    let mut differences = Differences::default();
    let mut both = Both::new();
    for old in old {
        for new in PAIRED {
            both = both.renewed();
            let words = words(len(old), len(new));
            let called = both.call(id, &[(PATH, old), (SECOND, new)], &words);
            let same = called.and_then(|_| both.compare());
            differences.add(|| format!("{id:?} of {old:?} and {new:?}"), same);
        }
    }
}

#[test]
fn calls_of_two_paths() {
    each_pair(Id::PathRename, PAIRED, |old, new| vec![ROOT, PATH, old, ROOT, SECOND, new]);
    for lookup in [0, 1] {
        each_pair(Id::PathLink, PAIRED, |old, new| {
            vec![ROOT, lookup, PATH, old, ROOT, SECOND, new]
        });
    }
    let targets = ["file", "", "/", "/etc", "..", "missing/", "LONG", "a\0b"];
    each_pair(Id::PathSymlink, &targets, |old, new| vec![PATH, old, ROOT, SECOND, new]);
}

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

#[test]
fn what_is_opened() {
    let mut differences = Differences::default();
    let mut both = Both::new();
    for lookup in [0, 1] {
        for oflags in [0, 1, 2, 3, 4, 5, 8, 9] {
            for rights in [0, READ, WRITE, READ | WRITE] {
                for fdflags in [0, 1, 16] {
                    for path in OPENED {
                        both = both.renewed();
                        let words =
                            [ROOT, lookup, PATH, len(path), oflags, rights, 0, fdflags, RESULT];
                        let opened = both.call(Id::PathOpen, &[(PATH, path)], &words);
                        let what = |id| format!("{id:?} of {path:?} opened by {words:?}");
                        if opened == Ok(Some(0)) {
                            use_opened(&mut both, &what, &mut differences);
                        }
                        let same = opened.and_then(|_| both.compare());
                        differences.add(|| what(Id::PathOpen), same);
                    }
                }
            }
        }
    }
}

/// Makes each call that a descriptor can be given, on the one that was opened; then closes it.
fn use_opened(both: &mut Both, what: &dyn Fn(Id) -> String, differences: &mut Differences) {
    let fd = u64::from(both.ours.result());
    let buffer = RESULT + 1024;
    // One buffer of four bytes, for reads and writes: address and length.
    let words = [buffer, 4].map(|n| u32::try_from(n).unwrap().to_le_bytes());
    let vector = String::from_utf8(words.concat()).unwrap();
    let strings = [(SECOND, vector.as_str())];
    for (id, words) in [
        (Id::FdFdstatGet, vec![fd, RESULT]),
        (Id::FdFilestatGet, vec![fd, RESULT]),
        (Id::FdReaddir, vec![fd, buffer, 4096, 0, RESULT]),
        (Id::FdRead, vec![fd, SECOND, 1, RESULT]),
        (Id::FdRead, vec![fd, SECOND, 0, RESULT]),
        (Id::FdWrite, vec![fd, SECOND, 0, RESULT]),
        (Id::FdPwrite, vec![fd, SECOND, 0, 1, RESULT]),
        (Id::FdTell, vec![fd, RESULT]),
        (Id::FdSeek, vec![fd, 3, 0, RESULT]),
        (Id::FdWrite, vec![fd, SECOND, 1, RESULT]),
        (Id::FdTell, vec![fd, RESULT]),
        (Id::FdPread, vec![fd, SECOND, 1, 1, RESULT]),
        (Id::FdPread, vec![fd, SECOND, 1, u64::MAX, RESULT]),
        (Id::FdPwrite, vec![fd, SECOND, 1, 1, RESULT]),
        (Id::FdPwrite, vec![fd, SECOND, 1, u64::MAX, RESULT]),
        (Id::FdSeek, vec![fd, (-1_i64).cast_unsigned(), 2, RESULT]),
        (Id::FdSeek, vec![fd, (-100_i64).cast_unsigned(), 1, RESULT]),
        (Id::FdSeek, vec![fd, i64::MAX.cast_unsigned(), 1, RESULT]),
        (Id::FdFilestatSetSize, vec![fd, 20]),
        (Id::FdFilestatSetSize, vec![fd, u64::MAX]),
        (Id::FdFilestatSetTimes, vec![fd, 5_000_000_001, 7_000_000_002, 5]),
        (Id::FdFilestatSetTimes, vec![fd, 0, 0, 3]),
        (Id::FdAdvise, vec![fd, 0, 10, 2]),
        (Id::FdAllocate, vec![fd, 0, 10]),
        (Id::FdFdstatSetFlags, vec![fd, 1]),
        (Id::FdWrite, vec![fd, SECOND, 1, RESULT]),
        (Id::FdFdstatSetFlags, vec![fd, 4]),
        (Id::FdFdstatSetFlags, vec![fd, 16]),
        (Id::FdFdstatGet, vec![fd, RESULT]),
        (Id::FdFdstatSetRights, vec![fd, 0, 0]),
        (Id::FdSync, vec![fd]),
        (Id::FdDatasync, vec![fd]),
        (Id::FdPrestatGet, vec![fd, RESULT]),
        (Id::FdPrestatDirName, vec![fd, RESULT, 64]),
        (Id::SockShutdown, vec![fd, 1]),
        (Id::SockAccept, vec![fd, 0, RESULT]),
        (Id::FdRenumber, vec![fd, fd]),
        (Id::FdClose, vec![fd]),
        (Id::FdClose, vec![fd]),
    ] {
        let called = both.call(id, &strings, &words).map(|_| ());
        differences.add(|| format!("{}: {words:?}", what(id)), called);
    }
}

#[test]
fn subscriptions() {
    let mut differences = Differences::default();
    let mut both = Both::new();
    let path = [(PATH, "file")];
    both.call(Id::PathOpen, &path, &[ROOT, 0, PATH, 4, 0, READ | WRITE, 0, 0, RESULT]).unwrap();
    let file = u64::from(both.ours.result());
    // Kind, clock or descriptor, time, flags.
    let past = [(0, 0, 1, 1), (0, 1, 0, 1), (0, 0, 0, 0), (0, 1, 0, 0)];
    let clocks = [(0, 2, 0, 0), (0, 3, 0, 0), (0, 2, 0, 1), (0, 4, 0, 0), (0, 0, 0, 2)];
    let files = [(1, file, 0, 0), (2, file, 0, 0), (1, ROOT, 0, 0), (2, ROOT, 0, 0), (1, 99, 0, 0)];
    let streams = [(1, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (2, 1, 0, 0), (2, 2, 0, 0)];
    let kinds = [(3, 0, 0, 0), (255, 0, 0, 0)];
    let all: Vec<_> = [&past[..], &clocks, &files, &streams, &kinds].concat();
    for first in &all {
        for second in all.iter().map(Some).chain([None]) {
            let given: Vec<_> = [Some(first), second].into_iter().flatten().collect();
            // In the peer files and clocks take a moment: something else may come without them.
            let comparable = given.len() == 1 || given.iter().all(|one| one.0 == 0);
            let called = poll(&mut both, &given, comparable);
            differences.add(|| format!("poll_oneoff of {given:?}"), called);
        }
    }
}

/// Polls for subscriptions of these kinds, and compares errno and, if they are to be the same,
/// `events`.
fn poll(both: &mut Both, given: &[&(u8, u64, u64, u64)], compare: bool) -> Result<(), String> {
    let events = RESULT + 64;
    let mut outcomes = Vec::new();
    for host in [&mut both.ours as &mut dyn Host, &mut both.peer] {
        host.bytes().fill(0);
        for ((kind, of, time, flags), one) in given.iter().zip(host.bytes().chunks_mut(48)) {
            one[8] = *kind;
            one[16..24].copy_from_slice(&of.to_le_bytes());
            one[24..32].copy_from_slice(&time.to_le_bytes());
            one[40..48].copy_from_slice(&flags.to_le_bytes());
        }
        let errno = host.call(Id::PollOneoff, &[0, events, given.len() as u64, RESULT]);
        let from = usize::try_from(events).unwrap();
        // How many bytes are there for a clock is for none to say.
        for event in host.bytes()[from..].chunks_mut(32).take(2) {
            if event[10] == 0 {
                event[16..24].fill(0);
            }
        }
        let written = host.bytes()[from - 64..].to_vec();
        outcomes.push((errno, if compare && errno == Some(0) { written } else { Vec::new() }));
    }
    let [ours, peer] = &outcomes[..] else { return Err("two hosts".to_owned()) };
    match ours == peer {
        true => Ok(()),
        false => Err(format!(
            "{:?} {:?}, and in the peer {:?} {:?}",
            ours.0,
            ours.1.get(..160),
            peer.0,
            peer.1.get(..160)
        )),
    }
}

//! Arguments of any kind, in every function: what they are refused with, here and in the peer.

use super::peer::{Both, Differences};
use super::{PATH, RESULT, ROOT, SECOND};
use wrt_abi::services::wasi::FunctionId as Id;

/// The file that is open.
const FILE: u64 = 4;
/// Where vectors are, of which the first is of four bytes.
const VECTORS: u64 = 1024;
/// Where there is room for what functions write.
const ROOM: u64 = RESULT + 1024;
const RIGHTS: u64 = 1 << 1 | 1 << 6;

/// Good arguments of each function.
const GOOD: &[(Id, &[u64])] = &[
    (Id::ArgsGet, &[RESULT, ROOM]),
    (Id::ArgsSizesGet, &[RESULT, ROOM]),
    (Id::EnvironGet, &[RESULT, ROOM]),
    (Id::EnvironSizesGet, &[RESULT, ROOM]),
    (Id::ClockResGet, &[1, RESULT]),
    (Id::ClockTimeGet, &[1, 0, RESULT]),
    (Id::FdAdvise, &[FILE, 0, 4, 0]),
    (Id::FdAllocate, &[FILE, 0, 4]),
    (Id::FdClose, &[FILE]),
    (Id::FdDatasync, &[FILE]),
    (Id::FdFdstatGet, &[FILE, RESULT]),
    (Id::FdFdstatSetFlags, &[FILE, 1]),
    (Id::FdFdstatSetRights, &[FILE, 0, 0]),
    (Id::FdFilestatGet, &[FILE, RESULT]),
    (Id::FdFilestatSetSize, &[FILE, 4]),
    (Id::FdFilestatSetTimes, &[FILE, 1, 2, 5]),
    (Id::FdPread, &[FILE, VECTORS, 1, 1, RESULT]),
    (Id::FdPrestatGet, &[ROOT, RESULT]),
    (Id::FdPrestatDirName, &[ROOT, RESULT, 1]),
    (Id::FdPwrite, &[FILE, VECTORS, 1, 1, RESULT]),
    (Id::FdRead, &[FILE, VECTORS, 1, RESULT]),
    (Id::FdReaddir, &[ROOT, ROOM, 1024, 0, RESULT]),
    (Id::FdRenumber, &[FILE, 0]),
    (Id::FdSeek, &[FILE, 1, 0, RESULT]),
    (Id::FdSync, &[FILE]),
    (Id::FdTell, &[FILE, RESULT]),
    (Id::FdWrite, &[FILE, VECTORS, 1, RESULT]),
    (Id::PathCreateDirectory, &[ROOT, SECOND, 3]),
    (Id::PathFilestatGet, &[ROOT, 0, PATH, 4, RESULT]),
    (Id::PathFilestatSetTimes, &[ROOT, 0, PATH, 4, 1, 2, 5]),
    (Id::PathLink, &[ROOT, 0, PATH, 4, ROOT, SECOND, 3]),
    (Id::PathOpen, &[ROOT, 0, PATH, 4, 0, RIGHTS, 0, 0, RESULT]),
    (Id::PathReadlink, &[ROOT, PATH, 4, ROOM, 64, RESULT]),
    (Id::PathRemoveDirectory, &[ROOT, PATH, 4]),
    (Id::PathRename, &[ROOT, PATH, 4, ROOT, SECOND, 3]),
    (Id::PathSymlink, &[PATH, 4, ROOT, SECOND, 3]),
    (Id::PathUnlinkFile, &[ROOT, PATH, 4]),
    // One to a clock, which is due: all is zero there.
    (Id::PollOneoff, &[ROOM, RESULT + 64, 1, RESULT]),
    (Id::ProcExit, &[7]),
    (Id::ProcRaise, &[2]),
    (Id::SchedYield, &[]),
    (Id::RandomGet, &[ROOM, 64]),
    (Id::SockRecv, &[FILE, VECTORS, 1, 0, RESULT, ROOM]),
    (Id::SockSend, &[FILE, VECTORS, 1, 0, RESULT]),
    (Id::SockShutdown, &[FILE, 1]),
    (Id::SockAccept, &[FILE, 0, RESULT]),
];

/// What takes the place of one argument: small numbers and sets of flags, addresses that are not
/// aligned, at the end of memory and behind it, and numbers with a sign.
const OTHER: &[u64] = &[
    0,
    1,
    3,
    6,
    16,
    32,
    99,
    1025,
    0x3ffc,
    0x4000,
    0x7fff_0000,
    0xffff_fff8,
    1 << 30,
    1 << 32,
    u64::MAX,
];

#[test]
fn every_function_is_here() {
    let names: Vec<_> = GOOD.iter().map(|(id, _)| id.name()).collect();
    let all: Vec<_> =
        wrt_abi::services::wasi::FUNCTIONS.iter().map(|function| function.name).collect();
    assert_eq!(names, all);
}

#[test]
fn one_bad_argument() {
    let mut differences = Differences::default();
    for (id, good) in GOOD {
        for place in 0..good.len().max(1) {
            let mut both = Both::new();
            let open = [ROOT, 0, PATH, 4, 0, RIGHTS, 0, 0, RESULT];
            both.call(Id::PathOpen, &[(PATH, "file")], &open).unwrap();
            for other in OTHER {
                let mut words = good.to_vec();
                if let Some(word) = words.get_mut(place) {
                    *word = *other;
                }
                if is_our_own(*id, &words) {
                    continue;
                }
                let vector = String::from_utf8(vector(ROOM, 4)).unwrap();
                let strings = [(PATH, "file"), (SECOND, "new"), (VECTORS, vector.as_str())];
                let called = both.call(*id, &strings, &words);
                let same = called.and_then(|errno| match errno {
                    Some(0) => both.compare(),
                    _ => Ok(()),
                });
                differences.add(|| format!("{} of {words:?}", id.name()), same);
            }
        }
    }
}

/// An `iovec`.
fn vector(start: u64, len: u32) -> Vec<u8> {
    [u32::try_from(start).unwrap(), len].map(u32::to_le_bytes).concat()
}

/// Whether a call is answered in a way of our own.
fn is_our_own(id: Id, words: &[u64]) -> bool {
    match (id, words) {
        // Over the path that is there: the padding of a structure is zero here, and left as it was
        // in the peer.
        (
            Id::FdFdstatGet | Id::FdFilestatGet | Id::FdPrestatGet | Id::PathFilestatGet,
            [.., result],
        ) => result & 0xffff_ffff < 64,
        // A directory that the program is given has times. In the peer it cannot be changed.
        (Id::FdFilestatSetTimes, [fd, ..]) => *fd == ROOT,
        // The peer has no bound for this one path.
        (Id::PathUnlinkFile, [.., len]) => *len >= 1 << 30,
        _ => false,
    }
}
